//! The binary from outside: it starts, keeps what it has, stops in order, shares its data with nobody, streams bodies,
//! and shows what it ran.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use common::{IMAGE, PATIENCE, Place, binary, ended, image, text};
use landfall_core::ids::Ids;
use landfall_testkit::http::Client;
use landfall_testkit::{Road, SeededIds, Server};
use serde_json::{Value, json};

const MIB: u64 = 1024 * 1024;

async fn connect(server: &Server) -> Client {
    Client::connect(server.endpoint()).await.unwrap()
}

#[tokio::test]
async fn it_answers_as_soon_as_it_says_where_it_is() {
    let place = Place::new();
    let server = Server::start(binary(), &["--ephemeral"], &place.path("log")).unwrap();
    let mut client = connect(&server).await;
    let health = client.send("GET", "/_landfall/health", &[], b"").await;
    let health = health.unwrap().json().unwrap();
    assert_eq!(health["status"], "ok");
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn with_credentials_only_its_health_is_told_to_everyone() {
    let place = Place::new();
    let server = place.start(&["--runtime", "process", "--credential", "me:secret"]);
    for (path, status) in [("health", 200), ("runs", 403), ("images", 403)] {
        let mut client = connect(&server).await;
        let path = format!("/_landfall/{path}");
        let answer = client.send("GET", &path, &[], b"").await.unwrap();
        assert_eq!(answer.status, status, "{path}");
    }
}

#[tokio::test]
async fn pages_of_other_sites_are_refused() {
    let place = Place::new();
    let server = place.start(&["--runtime", "process"]);
    let mut client = connect(&server).await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    let body = b"Action=ListQueues&Version=2012-11-05";
    for (site, status) in [("cross-site", 403), ("same-site", 403), ("none", 200)] {
        let from = ("sec-fetch-site", site);
        let asked = client.send("POST", "/", &[form, from], body).await;
        assert_eq!(asked.unwrap().status, status, "{site}");
        let runs = client.send("GET", "/_landfall/runs", &[from], b"").await;
        assert_eq!(runs.unwrap().status, status, "{site}");
    }
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let place = Place::new();
    let server = place.start(&["--runtime", "process"]);
    let mut client = connect(&server).await;
    client.create_bucket("kept", true).await.unwrap();
    let large = vec![7; usize::try_from(MIB).unwrap()];
    for (key, body) in [("small", &b"x"[..]), ("large", &large)] {
        let answer = client.put_object("kept", key, body).await.unwrap();
        answer.success().unwrap();
    }
    let rule = json!({"Name": "kept", "EventPattern": "{\"source\":[\"aws.s3\"]}"});
    client.json_call("AWSEvents.PutRule", &rule).await.unwrap();
    drop(client);
    assert!(server.stop().unwrap().success(), "{}", place.log());

    let server = place.start(&["--runtime", "process"]);
    let mut client = connect(&server).await;
    for (key, body) in [("small", &b"x"[..]), ("large", &large)] {
        let answer = client.get_object("kept", key).await.unwrap();
        assert!(answer.status == 200 && answer.body == body, "{key}");
    }
    let asked = json!({"Name": "kept"});
    let rule = client
        .json_call("AWSEvents.DescribeRule", &asked)
        .await
        .unwrap();
    assert_eq!(rule["State"], "ENABLED");
    let path = "/kept?notification";
    let told = client.send("GET", path, &[], b"").await.unwrap();
    let told = String::from_utf8(told.success().unwrap().body).unwrap();
    assert!(told.contains("EventBridgeConfiguration"), "{told}");
}

#[tokio::test]
async fn sigterm_lets_a_running_upload_end_and_the_exit_status_is_0() {
    let place = Place::new();
    let server = place.start(&["--runtime", "process"]);
    let mut client = connect(&server).await;
    client.create_bucket("last", false).await.unwrap();
    client.begin_put("last", "words", 10).await.unwrap();
    client.push(b"first").await.unwrap();
    server.ask_to_stop().unwrap();
    // It listens no more once the signal has arrived.
    while Client::connect(server.endpoint()).await.is_ok() {
        tokio::task::yield_now().await;
    }
    client.push(b"other").await.unwrap();
    client.finish().await.unwrap().success().unwrap();
    let status = server.wait().unwrap();
    assert!(status.success(), "{status}: {}", place.log());

    let server = place.start(&["--runtime", "process"]);
    let mut client = connect(&server).await;
    let kept = client.get_object("last", "words").await.unwrap();
    assert_eq!(kept.body, b"firstother");
}

#[tokio::test]
async fn a_second_server_on_the_same_data_is_refused_and_the_first_goes_on() {
    let place = Place::new();
    let server = place.start(&["--runtime", "process"]);
    let second = Command::new(binary())
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(place.path("data"))
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(second.stdout.is_empty());
    let said = String::from_utf8(second.stderr).unwrap();
    let expected = format!("is in use by process {}", server.pid());
    assert!(said.contains(&expected), "{said}");
    let mut client = connect(&server).await;
    let buckets = client.send("GET", "/", &[], b"").await.unwrap();
    buckets.success().unwrap();
}

#[test]
fn a_wrong_configuration_is_refused_before_anything_else_happens() {
    let place = Place::new();
    let (data, file) = (place.path("data"), place.path("other.toml"));
    std::fs::write(&file, "[launch]\nmax_running = 0\n").unwrap();
    let said = refused(&["--config".as_ref(), file.as_os_str()], &data);
    let expected = format!(
        "landfall: {}, line 2: invalid value: integer `0`, expected a whole number of at least 1; correct this line or \
         take it out\n",
        file.display()
    );
    assert_eq!(said, expected);
    let absent = place.path("absent.toml");
    let said = refused(&["--config".as_ref(), absent.as_os_str()], &data);
    assert!(said.contains("cannot read"), "{said}");
    assert!(!data.exists());

    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("landfall.toml"), "[launch]\nmax_runing = 1\n").unwrap();
    let said = refused(&[], &data);
    assert!(
        said.contains("landfall.toml, line 2: unknown field"),
        "{said}"
    );
    assert_eq!(std::fs::read_dir(&data).unwrap().count(), 1);
}

/// What `serve` says when it does not start.
fn refused(arguments: &[&OsStr], data: &Path) -> String {
    let ended = Command::new(binary())
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .args(arguments)
        .env_remove("LANDFALL_CONFIG")
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(1));
    String::from_utf8(ended.stderr).unwrap()
}

#[tokio::test]
async fn the_file_in_the_data_directory_is_read() {
    let place = Place::new();
    std::fs::create_dir(place.path("data")).unwrap();
    let text = "[quotas]\nevent_rules_per_bus = 1\n";
    std::fs::write(place.path("data").join("landfall.toml"), text).unwrap();
    let server = place.start(&["--runtime", "process"]);
    let mut client = connect(&server).await;
    let mut put = async |name: &str| {
        let rule = json!({"Name": name, "EventPattern": "{\"source\":[\"aws.s3\"]}"});
        client.json_call("AWSEvents.PutRule", &rule).await
    };
    put("one").await.unwrap();
    put("one").await.unwrap();
    let error = put("two").await.unwrap_err().to_string();
    assert!(error.contains("LimitExceededException"), "{error}");
}

/// Half of the body would already be too much.
#[tokio::test]
async fn a_large_upload_does_not_sit_in_memory() {
    let place = Place::new();
    let server = place.start(&["--runtime", "process"]);
    let mut client = connect(&server).await;
    client.create_bucket("large", false).await.unwrap();
    let warm = client.put_object("large", "warm", &[0; 32 * 1024]).await;
    warm.unwrap().success().unwrap();
    let before = server.memory().unwrap().resident_max;
    let mut mebibyte = vec![0; usize::try_from(MIB).unwrap()];
    SeededIds::new(1).fill(&mut mebibyte);
    client.begin_put("large", "body", 64 * MIB).await.unwrap();
    for _ in 0..64 {
        client.push(&mebibyte).await.unwrap();
    }
    client.finish().await.unwrap().success().unwrap();
    let body = client.get_object("large", "body").await.unwrap().body;
    assert!(body == mebibyte.repeat(64));
    let growth = server.memory().unwrap().resident_max - before;
    assert!(
        growth < 32 * MIB,
        "{growth} bytes more for a body of 64 MiB"
    );
}

#[tokio::test]
async fn an_upload_runs_a_container_and_the_command_line_shows_it() {
    let place = Place::new();
    let server = place.start(&["--runtime", "process"]);
    let archive = place.path("image.tar");
    image(&archive);
    let road = Road {
        bucket: "road".to_owned(),
        prefix: "in/".to_owned(),
        image: IMAGE.to_owned(),
        command: ["sh", "-c", "exit 3"].map(str::to_owned).to_vec(),
    };
    let mut client = connect(&server).await;
    road.furnish(&mut client, &archive).await.unwrap();
    for key in ["out/no", "in/a b+é%.csv", "In/no"] {
        let answer = client.put_object("road", key, b"x").await.unwrap();
        answer.success().unwrap();
    }
    ended(&mut client, 1).await;
    let shown = landfall(&server, &["runs", "--output", "json"]);
    let runs: Vec<Value> = serde_json::from_str(&shown).unwrap();
    assert_eq!(runs.len(), 1, "{shown}");
    assert_eq!(text(&runs[0], "key"), "in/a b+é%.csv");
    assert_eq!(text(&runs[0], "state"), "failed");
    assert_eq!(runs[0]["exit_codes"], json!([3]));
    assert!(landfall(&server, &["runs"]).contains("s3://road/in/a b+é%.csv"));
    assert!(landfall(&server, &["image", "list"]).contains(IMAGE));
}

#[tokio::test]
async fn what_keeps_nothing_leaves_nothing_running() {
    let place = Place::new();
    let log = place.path("log");
    let arguments = ["--ephemeral", "--runtime", "process"];
    let server = Server::start(binary(), &arguments, &log).unwrap();
    let (archive, pid) = (place.path("image.tar"), place.path("pid"));
    image(&archive);
    let script = format!("echo $$ > {}; exec busybox sleep 1000", pid.display());
    let road = Road {
        bucket: "road".to_owned(),
        prefix: String::new(),
        image: IMAGE.to_owned(),
        command: vec!["sh".to_owned(), "-c".to_owned(), script],
    };
    let mut client = connect(&server).await;
    road.furnish(&mut client, &archive).await.unwrap();
    let answer = client.put_object("road", "key", b"x").await.unwrap();
    answer.success().unwrap();
    let begun = std::time::Instant::now();
    let process = loop {
        let written = std::fs::read_to_string(&pid).unwrap_or_default();
        if let Some(id) = written.strip_suffix('\n') {
            break Path::new("/proc").join(id);
        }
        assert!(begun.elapsed() < PATIENCE, "no container has started");
        tokio::task::yield_now().await;
    };
    assert!(process.exists());
    drop(client);
    assert!(server.stop().unwrap().success(), "{}", place.log());
    assert!(!process.exists());
}

fn landfall(server: &Server, arguments: &[&str]) -> String {
    let output = Command::new(binary())
        .args(arguments)
        .env("AWS_ENDPOINT_URL", server.endpoint())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
