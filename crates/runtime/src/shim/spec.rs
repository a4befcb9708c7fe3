//! The plan in the words of the OCI runtime specification. Never touches the system but to read our own limits.

use std::path::{Path, PathBuf};

use libcontainer::oci_spec::OciSpecError;
use libcontainer::oci_spec::runtime::{
    Capabilities, Capability, LinuxBuilder, LinuxCapabilitiesBuilder, LinuxNamespaceBuilder,
    LinuxNamespaceType, Mount, MountBuilder, PosixRlimitBuilder, PosixRlimitType, Process,
    ProcessBuilder, RootBuilder, Spec, SpecBuilder, UserBuilder,
};

use super::Plan;

/// Where the container's root is mounted, relative to its directory.
pub(crate) const ROOT: &str = "rootfs";
/// Open files that a container may ask for, when our own hard limit allows it; as on Fargate.
const OPEN_FILES_MAX: u64 = 65_535;

/// What Docker leaves to a container, but for making device nodes: no device controller stands behind them here.
const CAPABILITIES: [Capability; 13] = [
    Capability::AuditWrite,
    Capability::Chown,
    Capability::DacOverride,
    Capability::Fowner,
    Capability::Fsetid,
    Capability::Kill,
    Capability::NetBindService,
    Capability::NetRaw,
    Capability::Setfcap,
    Capability::Setgid,
    Capability::Setpcap,
    Capability::Setuid,
    Capability::SysChroot,
];

const MASKED: [&str; 9] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];

const READ_ONLY: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// The runtime specification of a plan. `rootless`: in a user namespace that does not own the network.
pub(crate) fn runtime_spec(plan: &Plan, rootless: bool) -> Result<Spec, OciSpecError> {
    let namespaces = [
        LinuxNamespaceType::Pid,
        LinuxNamespaceType::Mount,
        LinuxNamespaceType::Ipc,
        LinuxNamespaceType::Uts,
    ];
    let namespaces = namespaces
        .into_iter()
        .map(|typ| LinuxNamespaceBuilder::default().typ(typ).build())
        .collect::<Result<Vec<_>, _>>()?;
    let mut linux = LinuxBuilder::default()
        .namespaces(namespaces)
        .cgroups_path("/landfall")
        .masked_paths(MASKED.map(str::to_owned))
        .readonly_paths(READ_ONLY.map(str::to_owned))
        .build()?;
    // The limits are ours; the builder would bring device rules of its own.
    linux.set_resources(None);
    let mut spec = SpecBuilder::default()
        .version("1.0.2")
        .root(
            RootBuilder::default()
                .path(ROOT)
                .readonly(plan.read_only_root)
                .build()?,
        )
        .mounts(mounts(rootless)?)
        .process(process(plan, rootless)?)
        .linux(linux)
        .build()?;
    // The host's own name, as with the host's network.
    spec.set_hostname(None);
    Ok(spec)
}

fn process(plan: &Plan, rootless: bool) -> Result<Process, OciSpecError> {
    let environment: Vec<_> = plan
        .environment
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    let mut user = UserBuilder::default().uid(plan.uid).gid(plan.gid);
    if !rootless && !plan.groups.is_empty() {
        user = user.additional_gids(plan.groups.clone());
    }
    let hard = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let files = hard.unwrap_or(OPEN_FILES_MAX).min(OPEN_FILES_MAX);
    let limit = PosixRlimitBuilder::default()
        .typ(PosixRlimitType::RlimitNofile)
        .hard(files)
        .soft(files)
        .build()?;
    let all: Capabilities = CAPABILITIES.into_iter().collect();
    let none = Capabilities::new();
    // Only root uses its capabilities at once; another user may not even have them.
    let own = if plan.uid == 0 {
        all.clone()
    } else {
        none.clone()
    };
    let capabilities = LinuxCapabilitiesBuilder::default()
        .bounding(all)
        .effective(own.clone())
        .permitted(own)
        .inheritable(none.clone())
        .ambient(none)
        .build()?;
    ProcessBuilder::default()
        .terminal(false)
        .user(user.build()?)
        .args(plan.arguments.clone())
        .env(environment)
        .cwd(PathBuf::from(&plan.working_directory))
        .capabilities(capabilities)
        .rlimits(vec![limit])
        .no_new_privileges(true)
        .build()
}

fn mounts(rootless: bool) -> Result<Vec<Mount>, OciSpecError> {
    let secure = ["nosuid", "noexec", "nodev"];
    let with = |more: &[&'static str]| [&secure, more].concat();
    let pts = [
        "nosuid",
        "noexec",
        "newinstance",
        "ptmxmode=0666",
        "mode=0620",
    ];
    let mut out = vec![
        mount("proc", "proc", "/proc", &secure)?,
        mount(
            "tmpfs",
            "tmpfs",
            "/dev",
            &["nosuid", "strictatime", "mode=755", "size=65536k"],
        )?,
        mount("devpts", "devpts", "/dev/pts", &pts)?,
        mount(
            "tmpfs",
            "shm",
            "/dev/shm",
            &with(&["mode=1777", "size=65536k"]),
        )?,
        mount("mqueue", "mqueue", "/dev/mqueue", &secure)?,
    ];
    // The kernel lets only the owner of the network namespace mount sysfs afresh.
    out.push(if rootless {
        mount("bind", "/sys", "/sys", &with(&["rbind", "ro"]))?
    } else {
        mount("sysfs", "sysfs", "/sys", &with(&["ro"]))?
    });
    for file in ["/etc/resolv.conf", "/etc/hosts"] {
        if Path::new(file).is_file() {
            out.push(mount("bind", file, file, &with(&["bind", "ro"]))?);
        }
    }
    Ok(out)
}

fn mount(kind: &str, source: &str, target: &str, options: &[&str]) -> Result<Mount, OciSpecError> {
    MountBuilder::default()
        .typ(kind)
        .source(source)
        .destination(target)
        .options(options.iter().map(|o| (*o).to_owned()).collect::<Vec<_>>())
        .build()
}
