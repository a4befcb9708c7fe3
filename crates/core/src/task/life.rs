//! A task's statuses in their order, and the words for how it stopped. Never decides that a task stops.

use serde::{Deserialize, Serialize};

/// `lastStatus` of a task, in the order in which a task goes through them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum TaskStatus {
    Provisioning,
    Pending,
    Activating,
    Running,
    Deactivating,
    Stopping,
    Deprovisioning,
    Stopped,
    Deleted,
}

impl TaskStatus {
    /// All statuses in order.
    pub const ALL: [Self; 9] = [
        Self::Provisioning,
        Self::Pending,
        Self::Activating,
        Self::Running,
        Self::Deactivating,
        Self::Stopping,
        Self::Deprovisioning,
        Self::Stopped,
        Self::Deleted,
    ];

    /// AWS's spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "PROVISIONING",
            Self::Pending => "PENDING",
            Self::Activating => "ACTIVATING",
            Self::Running => "RUNNING",
            Self::Deactivating => "DEACTIVATING",
            Self::Stopping => "STOPPING",
            Self::Deprovisioning => "DEPROVISIONING",
            Self::Stopped => "STOPPED",
            Self::Deleted => "DELETED",
        }
    }

    /// The statuses that a task goes through from `from` (not included) to `to` (included).
    ///
    /// Empty unless `to` is later. A task that has not run does not run on its way to a later status.
    pub fn path(from: Self, to: Self) -> Vec<Self> {
        let never_runs = from < Self::Running && to > Self::Running;
        Self::ALL
            .into_iter()
            .filter(|status| *status > from && *status <= to)
            .filter(|status| !(never_runs && matches!(status, Self::Activating | Self::Running)))
            .collect()
    }
}

/// `stopCode` of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum StopCode {
    TaskFailedToStart,
    EssentialContainerExited,
    UserInitiated,
    ServiceSchedulerInitiated,
    SpotInterruption,
    TerminationNotice,
}

impl StopCode {
    /// AWS's spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TaskFailedToStart => "TaskFailedToStart",
            Self::EssentialContainerExited => "EssentialContainerExited",
            Self::UserInitiated => "UserInitiated",
            Self::ServiceSchedulerInitiated => "ServiceSchedulerInitiated",
            Self::SpotInterruption => "SpotInterruption",
            Self::TerminationNotice => "TerminationNotice",
        }
    }
}

/// Why a task stopped. The texts inside are causes without AWS's error name in front.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopCause {
    /// A container whose end ends the task has ended.
    EssentialContainerExited,
    /// StopTask, with the reason its caller gave.
    UserInitiated(Option<String>),
    /// The image is neither there nor to be had.
    CannotPull(String),
    /// A container could not be created or started.
    CannotStart(String),
    /// Something the task needs before its containers (log group, secret) could not be set up.
    ResourceInitialization(String),
    /// It was started, it is gone, and nobody saw how it ended.
    Lost,
}

impl StopCause {
    /// `stopCode`.
    pub fn code(&self) -> StopCode {
        match self {
            Self::EssentialContainerExited | Self::Lost => StopCode::EssentialContainerExited,
            Self::UserInitiated(_) => StopCode::UserInitiated,
            Self::CannotPull(_) | Self::CannotStart(_) | Self::ResourceInitialization(_) => {
                StopCode::TaskFailedToStart
            }
        }
    }

    /// `stoppedReason`.
    pub fn reason(&self) -> String {
        match self {
            Self::EssentialContainerExited => "Essential container in task exited".to_owned(),
            Self::UserInitiated(Some(reason)) if !reason.is_empty() => reason.clone(),
            Self::UserInitiated(_) => "Task stopped by user".to_owned(),
            Self::CannotPull(cause) => format!("CannotPullContainerError: {cause}"),
            Self::CannotStart(_) => "Task failed to start".to_owned(),
            Self::ResourceInitialization(cause) => format!("ResourceInitializationError: {cause}"),
            Self::Lost => {
                "Essential container in task was lost; its exit code is unknown".to_owned()
            }
        }
    }

    /// `reason` of the container that it happened to, where the task's reason is not enough.
    pub fn container_reason(&self) -> Option<String> {
        match self {
            Self::CannotPull(cause) => Some(format!("CannotPullContainerError: {cause}")),
            Self::CannotStart(cause) => Some(format!("CannotStartContainerError: {cause}")),
            _ => None,
        }
    }
}

/// `reason` of a container that ran and ended, as AWS gives it. Only the kernel's own count proves a lack of memory:
/// exit code 137 alone does not.
pub fn exit_reason(out_of_memory: bool) -> Option<&'static str> {
    out_of_memory.then_some("OutOfMemoryError: Container killed due to memory usage")
}

/// What an exit code usually means, for people; `None` when it says nothing beyond itself.
pub fn exit_meaning(code: i32) -> Option<&'static str> {
    match code {
        0 => Some("success"),
        126 => Some("command cannot be executed"),
        127 => Some("command not found"),
        130 => Some("SIGINT"),
        132 => Some("SIGILL, illegal instruction"),
        134 => Some("SIGABRT, aborted"),
        137 => Some("SIGKILL, killed"),
        139 => Some("SIGSEGV, invalid memory access"),
        143 => Some("SIGTERM, asked to stop"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(from: TaskStatus, to: TaskStatus) -> String {
        TaskStatus::path(from, to)
            .iter()
            .map(|s| s.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn paths() {
        use TaskStatus::{Activating, Deleted, Pending, Provisioning, Running, Stopped, Stopping};
        let table = [
            (Provisioning, Running, "PENDING ACTIVATING RUNNING"),
            (
                Running,
                Stopped,
                "DEACTIVATING STOPPING DEPROVISIONING STOPPED",
            ),
            (
                Pending,
                Stopped,
                "DEACTIVATING STOPPING DEPROVISIONING STOPPED",
            ),
            (
                Provisioning,
                Stopped,
                "PENDING DEACTIVATING STOPPING DEPROVISIONING STOPPED",
            ),
            (Activating, Running, "RUNNING"),
            (Stopping, Stopped, "DEPROVISIONING STOPPED"),
            (Stopped, Deleted, "DELETED"),
            (Running, Running, ""),
            (Stopped, Running, ""),
        ];
        for (from, to, expected) in table {
            assert_eq!(path(from, to), expected, "{from:?} {to:?}");
        }
    }

    #[test]
    fn statuses_are_spelled_the_same_everywhere_and_stand_in_order() {
        for status in TaskStatus::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        assert!(TaskStatus::ALL.is_sorted());
    }

    #[test]
    fn causes_have_aws_words() {
        let table = [
            (
                StopCause::EssentialContainerExited,
                "EssentialContainerExited",
                "Essential container in task exited",
                None,
            ),
            (
                StopCause::UserInitiated(Some("mine".into())),
                "UserInitiated",
                "mine",
                None,
            ),
            (
                StopCause::UserInitiated(Some(String::new())),
                "UserInitiated",
                "Task stopped by user",
                None,
            ),
            (
                StopCause::UserInitiated(None),
                "UserInitiated",
                "Task stopped by user",
                None,
            ),
            (
                StopCause::CannotPull("no such image".into()),
                "TaskFailedToStart",
                "CannotPullContainerError: no such image",
                Some("CannotPullContainerError: no such image"),
            ),
            (
                StopCause::CannotStart("exec failed".into()),
                "TaskFailedToStart",
                "Task failed to start",
                Some("CannotStartContainerError: exec failed"),
            ),
            (
                StopCause::ResourceInitialization("failed to validate logger args".into()),
                "TaskFailedToStart",
                "ResourceInitializationError: failed to validate logger args",
                None,
            ),
        ];
        for (cause, code, reason, container) in table {
            assert_eq!(cause.code().as_str(), code);
            assert_eq!(serde_json::to_value(cause.code()).unwrap(), code);
            assert_eq!(cause.reason(), reason);
            assert_eq!(cause.container_reason().as_deref(), container);
        }
    }

    #[test]
    fn only_the_kernels_count_proves_a_lack_of_memory() {
        assert_eq!(
            exit_reason(true),
            Some("OutOfMemoryError: Container killed due to memory usage")
        );
        assert_eq!(exit_reason(false), None);
        assert_eq!(exit_meaning(137), Some("SIGKILL, killed"));
        assert_eq!(exit_meaning(1), None);
    }
}
