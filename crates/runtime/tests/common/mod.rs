//! What the tests share: a busybox image, a runtime that uses the example as shim, and ways to wait for a container.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use landfall_runtime::image::{ImageConfig, archive};
use landfall_runtime::{
    ContainerEvent, ContainerSpec, ExitStatus, LocalRuntime, OutputStream, Runtime,
};
use tempfile::TempDir;

/// Nothing in these tests takes this long unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The built example `shim`, next to the test binaries.
pub fn shim() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let mut path = std::env::current_exe().unwrap();
        path.pop();
        path.pop();
        path.join("examples/shim")
    });
    assert!(
        built.exists(),
        "{} is missing: build the examples first",
        built.display()
    );
    built.clone()
}

/// A static busybox; the tests run nothing else.
pub fn busybox() -> PathBuf {
    let candidates = ["/bin/busybox", "/usr/bin/busybox", "/bin/busybox.static"];
    let found = candidates.iter().map(Path::new).find(|path| path.exists());
    found
        .expect("the tests need a static busybox: apt-get install busybox-static")
        .to_owned()
}

/// An image directory with busybox and a few of its names.
pub fn image_root(root: &Path) {
    for folder in ["bin", "etc", "data"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    std::fs::copy(busybox(), root.join("bin/busybox")).unwrap();
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(root.join("bin/busybox"), mode).unwrap();
    for name in [
        "sh", "env", "sleep", "id", "cat", "mount", "hostname", "printenv",
    ] {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(name)).unwrap();
    }
    std::fs::write(
        root.join("etc/passwd"),
        "root:x:0:0::/:/bin/sh\napp:x:1000:1001::/:/bin/sh\n",
    )
    .unwrap();
    std::fs::write(root.join("etc/group"), "root:x:0:\napp:x:1001:\n").unwrap();
}

/// Writes the busybox image as `box:latest`.
pub fn write_image(path: &Path) {
    let root = tempfile::tempdir().unwrap();
    image_root(root.path());
    let config = ImageConfig {
        cmd: vec!["sh".to_owned()],
        env: vec!["PATH=/bin".to_owned(), "FROM_IMAGE=yes".to_owned()],
        workdir: "/data".to_owned(),
        ..Default::default()
    };
    let file = std::fs::File::create(path).unwrap();
    archive::write_docker_archive(file, "box", root.path(), &config).unwrap();
}

/// Which of the two local runtimes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Oci,
    Process,
}

/// A data directory with the image loaded.
pub struct Bench {
    pub data: TempDir,
    pub runtime: LocalRuntime,
    pub kind: Kind,
}

pub fn open(kind: Kind, data: &Path) -> LocalRuntime {
    let runtime = match kind {
        Kind::Oci => LocalRuntime::oci(data),
        Kind::Process => LocalRuntime::process(data),
    };
    runtime.unwrap().with_shim(shim())
}

impl Bench {
    pub async fn new(kind: Kind) -> Self {
        let data = tempfile::tempdir().unwrap();
        let runtime = open(kind, data.path());
        let archive = data.path().join("box.tar");
        write_image(&archive);
        let loaded = runtime.load(&archive).await.unwrap();
        assert_eq!(loaded[0].0, "box:latest");
        Self {
            data,
            runtime,
            kind,
        }
    }

    /// Starts a container and waits for its end.
    pub async fn run(&self, spec: &ContainerSpec) -> Outcome {
        self.runtime.start(spec).await.unwrap();
        self.outcome(&spec.id).await
    }

    pub async fn outcome(&self, id: &str) -> Outcome {
        collect(&self.runtime, id, 0).await
    }
}

/// What a container did.
#[derive(Debug, Default)]
pub struct Outcome {
    pub stdout: Vec<Vec<u8>>,
    pub stderr: Vec<Vec<u8>>,
    pub positions: Vec<u64>,
    pub started: bool,
    pub exit: Option<ExitStatus>,
    pub failed: Option<String>,
}

impl Outcome {
    pub fn text(&self) -> String {
        let line = |l: &Vec<u8>| String::from_utf8_lossy(l).into_owned();
        self.stdout.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    pub fn code(&self) -> i32 {
        self.exit
            .as_ref()
            .unwrap_or_else(|| panic!("no exit: {self:?}"))
            .code
    }
}

/// Follows a container to its end.
pub async fn collect(runtime: &dyn Runtime, id: &str, position: u64) -> Outcome {
    let mut events = runtime.watch(id, position).await.unwrap();
    let mut out = Outcome::default();
    let all = async {
        while let Some(event) = events.recv().await {
            match event {
                ContainerEvent::Started { .. } => out.started = true,
                ContainerEvent::Output {
                    stream,
                    line,
                    position,
                    ..
                } => {
                    out.positions.push(position);
                    match stream {
                        OutputStream::Stdout => out.stdout.push(line),
                        OutputStream::Stderr => out.stderr.push(line),
                    }
                }
                ContainerEvent::Exited(status) => out.exit = Some(status),
                ContainerEvent::Failed(why) => out.failed = Some(why),
            }
        }
    };
    tokio::time::timeout(PATIENCE, all)
        .await
        .expect("the container did not end");
    out
}

/// Waits until a container has written a line.
pub async fn await_line(runtime: &dyn Runtime, id: &str, wanted: &[u8]) {
    let mut events = runtime.watch(id, 0).await.unwrap();
    let found = async {
        while let Some(event) = events.recv().await {
            if matches!(&event, ContainerEvent::Output { line, .. } if line == wanted) {
                return true;
            }
        }
        false
    };
    assert!(
        tokio::time::timeout(PATIENCE, found)
            .await
            .expect("no such line")
    );
}

/// `sh -c SCRIPT` on the busybox image.
pub fn script(id: &str, script: &str) -> ContainerSpec {
    ContainerSpec {
        id: id.to_owned(),
        image: "box".to_owned(),
        entry_point: None,
        command: Some(vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()]),
        environment: Vec::new(),
        working_directory: None,
        user: None,
        memory_bytes_max: None,
        cpu_units: None,
        read_only_root: false,
        stop_timeout_seconds: 5,
        labels: BTreeMap::new(),
    }
}
