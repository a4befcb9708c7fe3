//! `landfall migrate` and `landfall check` as they are called: what is printed where, and the exit status. Never starts
//! a server.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

const FORMER: &str = include_str!("../../../examples/cloudtrail/application.yaml");

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_landfall"))
        .args(arguments)
        .env_remove("AWS_DEFAULT_REGION")
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A directory with files in it.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

#[test]
fn the_former_stack_is_moved_and_proven() {
    let files = Files::new();
    let old = files.write("old.yaml", FORMER);
    let done = run(&["migrate", &old, "--prove"]);
    assert_eq!(done.status.code(), Some(0), "{}", err(&done));
    assert!(err(&done).contains("for 10000 uploads"), "{}", err(&done));
    assert!(out(&done).contains("- \"Object Created\""));

    let new = files.write("new.yaml", &out(&done));
    let again = run(&["migrate", &new]);
    assert_eq!(out(&again), out(&done));
    assert!(err(&again).contains("nothing to move"));

    let diff = run(&["migrate", &old, "--diff"]);
    assert!(out(&diff).starts_with("--- a/"));
    assert!(out(&diff).contains(
        "\n-          - \"AWS API Call via CloudTrail\"\n+          - \"Object Created\"\n"
    ));
    assert_eq!(std::fs::read_to_string(&old).unwrap(), FORMER);

    let in_place = run(&["migrate", &old, "--in-place"]);
    assert_eq!(
        (in_place.status.code(), out(&in_place)),
        (Some(0), String::new())
    );
    assert_eq!(std::fs::read_to_string(&old).unwrap(), out(&done));
}

#[test]
fn a_wrong_translation_is_named_with_its_smallest_upload() {
    let files = Files::new();
    let old = files.write("old.yaml", FORMER);
    let right = out(&run(&["migrate", &old]));
    let wrong = right.replace("prefix: !Ref CompletionKeyPrefix", "prefix: test");
    let wrong = files.write("wrong.yaml", &wrong);
    let done = run(&[
        "migrate",
        &old,
        "--prove",
        "--against",
        &wrong,
        "--output",
        "json",
    ]);
    assert_eq!(done.status.code(), Some(4), "{}", err(&done));
    let proof: Value = serde_json::from_str(&out(&done)).unwrap();
    assert_eq!(proof["holds"], false);
    assert_eq!(proof["difference"]["upload"]["key"], "test");
    assert_eq!(proof["difference"]["old"], serde_json::json!([]));
    let words = out(&run(&["migrate", &old, "--prove", "--against", &wrong]));
    assert!(
        words.contains("PutObject of \"test\" to the bucket sample-bucket"),
        "{words}"
    );
}

#[test]
fn a_rule_without_a_twin_is_refused_with_its_line() {
    let files = Files::new();
    let text = FORMER.replace(
        "          eventName: #",
        "          userIdentity:\n            arn:\n              - prefix: arn:aws:iam::1\n          eventName: #",
    );
    let line = text.lines().position(|it| it.trim() == "arn:").unwrap() + 1;
    let file = files.write("refused.yaml", &text);
    let done = run(&["migrate", &file, "--prove"]);
    assert_eq!(done.status.code(), Some(3));
    assert_eq!(out(&done), text);
    let said = err(&done);
    assert!(said.contains(&format!("refused.yaml:{line}:13")), "{said}");
    assert!(
        said.contains("`userIdentity.arn` has no twin") && said.contains("help: "),
        "{said}"
    );
    let json: Value =
        serde_json::from_str(&out(&run(&["migrate", &file, "--output", "json"]))).unwrap();
    assert_eq!(json["refused"], serde_json::json!(["SampleEventsRule"]));
    assert_eq!(json["notes"][0]["span"]["line"], line);
}

#[test]
fn recorded_uploads_are_read_gzipped_too() {
    let files = Files::new();
    let old = files.write("old.yaml", FORMER);
    let log = serde_json::json!({"Records": [{
        "eventSource": "s3.amazonaws.com", "eventName": "PutObject", "eventTime": "2026-11-12T01:02:03Z",
        "requestParameters": {"bucketName": "sample-bucket", "key": "test/aaa/complete.txt"},
    }]});
    let file = std::fs::File::create(files.path("log.json.gz")).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    gzip.write_all(log.to_string().as_bytes()).unwrap();
    gzip.finish().unwrap();
    let log = files.path("log.json.gz");
    let done = run(&[
        "migrate",
        &old,
        "--prove",
        "--count",
        "0",
        "--uploads",
        log.to_str().unwrap(),
    ]);
    assert_eq!(done.status.code(), Some(0), "{}", err(&done));
    assert!(
        err(&done).contains("for 1 uploads (1 of them start something, 1 of them recorded)"),
        "{}",
        err(&done)
    );
    let nothing = run(&["migrate", &old, "--prove", "--count", "0"]);
    assert_eq!(nothing.status.code(), Some(4));
    assert!(err(&nothing).contains("proves nothing"));
}

#[test]
fn a_plan_is_answered_with_what_to_write() {
    let files = Files::new();
    let plan = files.write(
        "plan.json",
        include_str!("../../core/src/migrate/fixtures/plan.json"),
    );
    let done = run(&["migrate", &plan, "--prove"]);
    assert_eq!(done.status.code(), Some(0), "{}", err(&done));
    assert!(
        out(&done).contains("event_pattern = jsonencode({"),
        "{}",
        out(&done)
    );
    assert_eq!(run(&["migrate", &plan, "--diff"]).status.code(), Some(1));
}

#[test]
fn a_malformed_template_is_drawn_where_it_is_wrong() {
    let files = Files::new();
    let file = files.write("bad.yaml", "Resources:\n  A:\n    Type: !Nope x\n");
    let done = run(&["migrate", &file]);
    assert_eq!((done.status.code(), out(&done)), (Some(1), String::new()));
    assert!(err(&done).contains("bad.yaml:3:11"), "{}", err(&done));
}

#[test]
fn check_draws_prints_json_and_sarif() {
    let files = Files::new();
    let file = files.write(
        "faulty.yaml",
        &FORMER.replace("${SampleBucket}/test #", "${SampleBucket} #"),
    );
    let done = run(&["check", &file]);
    assert_eq!(done.status.code(), Some(3));
    assert!(out(&done).contains("error[LF002]"), "{}", out(&done));
    assert!(out(&done).contains("faulty.yaml:139:19"), "{}", out(&done));
    let json: Value =
        serde_json::from_str(&out(&run(&["check", &file, "--output", "json"]))).unwrap();
    assert_eq!(
        (&json[0]["code"], &json[0]["span"]["line"]),
        (&"LF002".into(), &139.into())
    );
    let sarif: Value =
        serde_json::from_str(&out(&run(&["check", &file, "--output", "sarif"]))).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let run_of = &sarif["runs"][0];
    assert_eq!(run_of["tool"]["driver"]["rules"][1]["id"], "LF002");
    let result = &run_of["results"][0];
    assert_eq!(
        (&result["ruleId"], &result["level"]),
        (&"LF002".into(), &"error".into())
    );
    assert_eq!(
        result["locations"][0]["physicalLocation"]["region"]["startLine"],
        139
    );
    let sound = files.write(
        "sound.yaml",
        include_str!("../../../examples/direct/network.yaml"),
    );
    assert_eq!(run(&["check", &sound]).status.code(), Some(0));
}
