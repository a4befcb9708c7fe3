//! Merges what the caller wants with what the image says. Never starts anything.

use std::collections::HashMap;

use super::users;
use crate::image::StoredImage;
use crate::shim::{Mode, Plan};
use crate::{ContainerSpec, RuntimeError};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const SIGTERM: i32 = 15;

/// The plan of a container on an image.
pub(crate) fn plan(
    mode: Mode,
    spec: &ContainerSpec,
    image: &StoredImage,
) -> Result<Plan, RuntimeError> {
    let arguments = arguments(spec, image)?;
    let user = spec
        .user
        .as_deref()
        .filter(|u| !u.is_empty())
        .unwrap_or(&image.config.user);
    let user = users::resolve(user, &image.rootfs).map_err(RuntimeError::CannotStart)?;
    let directory = spec.working_directory.as_deref().filter(|d| !d.is_empty());
    let directory = directory.unwrap_or(&image.config.workdir);
    let labels = image.config.labels.iter().chain(&spec.labels);
    Ok(Plan {
        mode,
        id: spec.id.clone(),
        rootfs: image.rootfs.clone(),
        arguments,
        environment: environment(spec, image)?,
        working_directory: format!("/{}", directory.trim_start_matches('/')),
        uid: user.uid,
        gid: user.gid,
        groups: user.groups,
        memory_bytes_max: spec.memory_bytes_max,
        cpu_units: spec.cpu_units,
        read_only_root: spec.read_only_root,
        stop_timeout_seconds: spec.stop_timeout_seconds,
        stop_signal: signal_number(&image.config.stop_signal),
        labels: labels.map(|(k, v)| (k.clone(), v.clone())).collect(),
    })
}

/// As Docker does it: another entry point also drops the image's command. Empty lists count as not given.
fn arguments(spec: &ContainerSpec, image: &StoredImage) -> Result<Vec<String>, RuntimeError> {
    let given = |list: &Option<Vec<String>>| list.clone().filter(|l| !l.is_empty());
    let (entry_point, command) = match (given(&spec.entry_point), given(&spec.command)) {
        (Some(entry_point), command) => (entry_point, command.unwrap_or_default()),
        (None, Some(command)) => (image.config.entrypoint.clone(), command),
        (None, None) => (image.config.entrypoint.clone(), image.config.cmd.clone()),
    };
    let arguments = [entry_point, command].concat();
    if arguments.is_empty() {
        return Err(cannot(
            "no command specified: neither the image nor the container names one",
        ));
    }
    if arguments.iter().any(|a| a.contains('\0')) {
        return Err(cannot("an argument contains a NUL character"));
    }
    Ok(arguments)
}

fn environment(
    spec: &ContainerSpec,
    image: &StoredImage,
) -> Result<Vec<(String, String)>, RuntimeError> {
    let default = [("PATH".to_owned(), PATH.to_owned())];
    let own = image
        .config
        .env
        .iter()
        .map(|line| match line.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => (line.clone(), String::new()),
        });
    let mut out: Vec<(String, String)> = Vec::new();
    let mut places = HashMap::new();
    for (name, value) in default
        .into_iter()
        .chain(own)
        .chain(spec.environment.iter().cloned())
    {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(cannot(format!(
                "{name:?} cannot be the name of an environment variable"
            )));
        }
        if value.contains('\0') {
            return Err(cannot(format!(
                "environment variable {name} contains a NUL character"
            )));
        }
        let next = out.len();
        let place = *places.entry(name.clone()).or_insert(next);
        match out.get_mut(place) {
            Some(slot) => slot.1 = value,
            None => out.push((name, value)),
        }
    }
    Ok(out)
}

/// `SIGINT`, `INT` or `2`; what cannot be understood is SIGTERM.
fn signal_number(text: &str) -> i32 {
    if let Ok(number) = text.parse::<i32>() {
        return if (1..=64).contains(&number) {
            number
        } else {
            SIGTERM
        };
    }
    match text.strip_prefix("SIG").unwrap_or(text) {
        "HUP" => 1,
        "INT" => 2,
        "QUIT" => 3,
        "KILL" => 9,
        "USR1" => 10,
        "USR2" => 12,
        "WINCH" => 28,
        _ => SIGTERM,
    }
}

fn cannot(text: impl Into<String>) -> RuntimeError {
    RuntimeError::CannotStart(text.into())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use super::*;
    use crate::Image;
    use crate::image::ImageConfig;

    fn strings(list: &[&str]) -> Vec<String> {
        list.iter().map(|s| (*s).to_owned()).collect()
    }

    fn image() -> StoredImage {
        StoredImage {
            image: Image {
                digest: String::new(),
                size_bytes: 0,
            },
            config: ImageConfig {
                entrypoint: strings(&["/entry", "a"]),
                cmd: strings(&["b"]),
                env: strings(&["X=1", "Y=2=3", "Z"]),
                workdir: "srv".to_owned(),
                ..Default::default()
            },
            rootfs: PathBuf::from("/nowhere"),
        }
    }

    fn spec() -> ContainerSpec {
        ContainerSpec {
            id: "t".to_owned(),
            image: "app".to_owned(),
            entry_point: None,
            command: None,
            environment: Vec::new(),
            working_directory: None,
            user: None,
            memory_bytes_max: None,
            cpu_units: None,
            read_only_root: false,
            stop_timeout_seconds: 1,
            labels: BTreeMap::new(),
        }
    }

    #[test]
    fn another_entry_point_drops_the_images_command() {
        type Words = &'static [&'static str];
        let cases: [(Option<Words>, Option<Words>, Words); 5] = [
            (None, None, &["/entry", "a", "b"]),
            (None, Some(&["c"]), &["/entry", "a", "c"]),
            (Some(&["/e"]), None, &["/e"]),
            (Some(&["/e"]), Some(&["c"]), &["/e", "c"]),
            (Some(&[]), Some(&[]), &["/entry", "a", "b"]),
        ];
        for (entry_point, command, expected) in cases {
            let mut spec = spec();
            spec.entry_point = entry_point.map(strings);
            spec.command = command.map(strings);
            assert_eq!(
                plan(Mode::Oci, &spec, &image()).unwrap().arguments,
                expected
            );
        }
        let mut nothing = image();
        nothing.config.entrypoint.clear();
        nothing.config.cmd.clear();
        assert!(matches!(
            plan(Mode::Oci, &spec(), &nothing),
            Err(RuntimeError::CannotStart(text)) if text.contains("no command")
        ));
    }

    #[test]
    fn the_callers_environment_wins_and_keeps_every_byte() {
        let mut spec = spec();
        let hard = "a\nb\t\"'\\ = é🎉".to_owned();
        spec.environment = vec![
            ("X".to_owned(), hard.clone()),
            ("NEW".to_owned(), String::new()),
        ];
        let plan = plan(Mode::Oci, &spec, &image()).unwrap();
        let expected = [
            ("PATH", PATH),
            ("X", &hard),
            ("Y", "2=3"),
            ("Z", ""),
            ("NEW", ""),
        ];
        assert_eq!(
            plan.environment,
            expected.map(|(k, v)| (k.to_owned(), v.to_owned()))
        );
        assert_eq!(plan.working_directory, "/srv");
        for name in ["", "A=B", "A\0"] {
            spec.environment = vec![(name.to_owned(), String::new())];
            assert!(super::plan(Mode::Oci, &spec, &image()).is_err(), "{name:?}");
        }
    }

    #[test]
    fn stop_signals_are_names_or_numbers() {
        let cases = [
            ("", 15),
            ("SIGINT", 2),
            ("QUIT", 3),
            ("10", 10),
            ("0", 15),
            ("nonsense", 15),
        ];
        for (text, number) in cases {
            assert_eq!(signal_number(text), number, "{text:?}");
        }
    }
}
