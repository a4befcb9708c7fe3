//! `landfall exec` as it is called: the command finds the server and its stacks, has standard output to itself, and says
//! how it all ends. Never needs a container.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

const TEMPLATE: &str = "Resources:\n  Bucket:\n    Type: AWS::S3::Bucket\n";

/// `landfall exec` with a stack of one bucket, and this command of a shell.
fn exec(files: &tempfile::TempDir, script: &str) -> Command {
    let template = files.path().join("stack.yaml");
    std::fs::write(&template, TEMPLATE).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
    command.args(["exec", "--runtime", "process"]).arg(template);
    command.args(["--", "sh", "-c", script, env!("CARGO_BIN_EXE_landfall")]);
    for name in ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID"] {
        command.env_remove(name);
    }
    command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    command
}

#[test]
fn the_command_finds_the_server_and_its_status_is_the_status() {
    let files = tempfile::tempdir().unwrap();
    let script =
        r#""$0" runs --output json; echo "$AWS_DEFAULT_REGION $AWS_ACCESS_KEY_ID"; exit 7"#;
    let done = exec(&files, script).output().unwrap();
    let told = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(7), "{told}");
    assert_eq!(
        String::from_utf8(done.stdout).unwrap(),
        "[]\nus-east-1 landfall\n"
    );
    assert!(told.contains("CREATE_COMPLETE"), "{told}");
}

#[test]
fn a_stack_that_cannot_be_made_lets_no_command_run() {
    let files = tempfile::tempdir().unwrap();
    let mut command = exec(&files, "echo ran");
    std::fs::write(
        files.path().join("stack.yaml"),
        "Resources: {A: {Type: 'AWS::No::Such'}}",
    )
    .unwrap();
    let done = command.output().unwrap();
    assert_eq!((done.status.code(), done.stdout), (Some(1), Vec::new()));
}

#[test]
fn being_asked_to_stop_is_passed_on() {
    let files = tempfile::tempdir().unwrap();
    let script = "trap 'exit 9' TERM; echo ready; while :; do read line; done";
    let mut command = exec(&files, script);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = command.spawn().unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(running.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    let pid = Pid::from_raw(running.id().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    // `wait` would close the command's input, on which it waits.
    let _input = running.stdin.take();
    assert_eq!(running.wait().unwrap().code(), Some(9));
}

#[test]
fn a_server_that_checks_signatures_is_served_by_the_same_commands() {
    let files = tempfile::tempdir().unwrap();
    let script = r#"AWS_SECRET_ACCESS_KEY=wrong "$0" runs; "$0" runs --output json"#;
    let mut command = exec(&files, script);
    let done = command
        .env("LANDFALL_CREDENTIALS", "me:secret")
        .output()
        .unwrap();
    let told = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(0), "{told}");
    assert_eq!(String::from_utf8(done.stdout).unwrap(), "[]\n");
    assert!(
        told.contains("signature we calculated does not match"),
        "{told}"
    );
}
