//! What became of a match, in three sentences: what its target was given, what the target answered, how the task ended.
//! Never looks anything up.

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerEnd {
    /// Its name.
    pub name: String,
    /// With what it ended; none if it never ran or was lost.
    pub exit_code: Option<i32>,
    /// ECS's reason.
    pub reason: Option<String>,
}

/// How a task stands or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskEnd {
    /// Its id.
    pub id: String,
    /// ECS's status.
    pub status: String,
    /// ECS's code of its end.
    pub stop_code: Option<String>,
    /// ECS's reason of its end.
    pub stopped_reason: Option<String>,
    /// Its containers.
    pub containers: Vec<ContainerEnd>,
}

/// SIGKILL as an exit code.
const KILLED: i32 = 128 + 9;

/// What the target is given.
pub fn input(target: &str, text: &str) -> String {
    format!("{target} is given {text}.")
}

/// The input cannot be made.
pub fn input_refused(target: &str, why: &str) -> String {
    format!("The input for {target} cannot be made: {}.", unended(why))
}

/// What the target answered: the last refusal, or what it took.
pub fn answer(
    target: &str,
    attempts: u32,
    tasks: &[String],
    refusal: Option<(&str, &str)>,
) -> String {
    let times = match attempts {
        1 => "at the first attempt".to_owned(),
        n => format!("at attempt {n}"),
    };
    match (refusal, tasks) {
        (Some((code, why)), _) => {
            format!("{target} refused it {times} ({code}): {}.", unended(why))
        }
        (None, _) if attempts == 0 => format!("{target} has not been asked yet."),
        (None, []) => format!("{target} took it {times}."),
        (None, [one]) => format!("{target} started task {one} {times}."),
        (None, many) => format!("{target} started the tasks {} {times}.", many.join(", ")),
    }
}

/// What RunTask would do.
pub fn would_start(count: i32, family: &str, revision: i32) -> String {
    match count {
        1 => format!("RunTask would start a task of {family}:{revision}."),
        _ => format!("RunTask would start {count} tasks of {family}:{revision}."),
    }
}

/// What RunTask would answer instead of starting a task.
pub fn would_refuse(why: &str) -> String {
    format!("RunTask would refuse it: {}.", unended(why))
}

/// How a task stands or ended.
pub fn end(task: &TaskEnd) -> String {
    let id = &task.id;
    if task.status != "STOPPED" {
        return format!("Task {id} is {}.", task.status);
    }
    let reason = unended(
        task.stopped_reason
            .as_deref()
            .unwrap_or("no reason is known"),
    );
    if task.stop_code.as_deref() == Some("TaskFailedToStart") {
        let pull = "CannotPullContainerError: ";
        return match reason.strip_prefix(pull) {
            Some(why) => {
                format!("Task {id} was not started, since its image cannot be pulled: {why}.")
            }
            None => format!("Task {id} was not started: {reason}."),
        };
    }
    let failed = |it: &&ContainerEnd| it.exit_code != Some(0);
    match task.containers.iter().find(failed) {
        None => format!("Task {id} ended well, with exit code 0."),
        Some(container) => format!("Task {id} failed: {}.", fate(task, container, reason)),
    }
}

fn fate(task: &TaskEnd, container: &ContainerEnd, reason: &str) -> String {
    let name = &container.name;
    let own = container.reason.as_deref().unwrap_or_default();
    let is_memory = own.starts_with("OutOfMemoryError");
    let is_stopped = task.stop_code.as_deref() == Some("UserInitiated");
    match container.exit_code {
        None if own.is_empty() => format!("container {name} has no exit code ({reason})"),
        None => format!("container {name} has no exit code: {}", unended(own)),
        Some(code) if is_memory => format!(
            "container {name} was killed because it used more memory than its limit (exit code {code})"
        ),
        Some(KILLED) if is_stopped => format!(
            "container {name} was killed when it did not end in time after the task was stopped ({reason}; exit code \
             {KILLED})"
        ),
        Some(KILLED) => format!(
            "container {name} was killed with SIGKILL from outside, not by its memory limit (exit code {KILLED})"
        ),
        Some(code) if is_stopped => {
            format!(
                "container {name} ended with exit code {code} after the task was stopped ({reason})"
            )
        }
        Some(code) => format!("container {name} ended with exit code {code}"),
    }
}

fn unended(text: &str) -> &str {
    text.trim_end_matches(['.', ' '])
}
