//! A small flood: many clients upload at once, and each upload starts a task. The long form is `xtask prove flood`.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::collections::BTreeMap;

use common::{IMAGE, Place, ended, image, text};
use landfall_testkit::http::Client;
use landfall_testkit::{Road, Server};

const CLIENTS: usize = 64;
const UPLOADS_PER_CLIENT: usize = 5;
const UPLOADS: usize = CLIENTS * UPLOADS_PER_CLIENT;
/// Tasks that run at once: few, so that most of them wait.
const RUNNING: usize = 4;
const GROWTH_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// Descriptors of the server beyond those of the clients' connections and of the tasks that run.
const DESCRIPTORS_MAX: usize = 200;

async fn upload(endpoint: String, client: usize) {
    let mut connection = Client::connect(&endpoint).await.unwrap();
    for number in 0..UPLOADS_PER_CLIENT {
        let key = format!("in/{client}-{number}");
        let answer = connection.put_object("flood", &key, b"x").await.unwrap();
        answer.success().unwrap();
    }
}

fn descriptors(server: &Server) -> usize {
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid()));
    open.unwrap().count()
}

#[tokio::test]
async fn a_flood_starts_each_task_once_and_the_server_stays_small() {
    let place = Place::new();
    std::fs::create_dir(place.path("data")).unwrap();
    let settings = format!("[launch]\nmax_running = {RUNNING}\n");
    std::fs::write(place.path("data").join("landfall.toml"), settings).unwrap();
    let server = place.start(&["--runtime", "process"]);
    let (archive, starts) = (place.path("image.tar"), place.path("starts"));
    image(&archive);
    let script = format!("echo \"$OBJECT_KEY\" >> {}", starts.display());
    let road = Road {
        bucket: "flood".to_owned(),
        prefix: "in/".to_owned(),
        image: IMAGE.to_owned(),
        command: ["sh", "-c", &script].map(str::to_owned).to_vec(),
    };
    let mut client = Client::connect(server.endpoint()).await.unwrap();
    road.furnish(&mut client, &archive).await.unwrap();
    let idle = server.memory().unwrap().resident;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| tokio::spawn(upload(server.endpoint().to_owned(), number)))
        .collect();
    let mut open = 0;
    for client in clients {
        client.await.unwrap();
        open = open.max(descriptors(&server));
    }
    let runs = ended(&mut client, UPLOADS).await;
    for run in &runs {
        assert_eq!(text(run, "state"), "succeeded", "{run:#}");
    }
    assert_eq!(runs.len(), UPLOADS);
    let mut by_key: BTreeMap<String, usize> = BTreeMap::new();
    for line in std::fs::read_to_string(&starts).unwrap().lines() {
        *by_key.entry(line.to_owned()).or_default() += 1;
    }
    assert_eq!(by_key.len(), UPLOADS);
    assert!(by_key.values().all(|count| *count == 1), "{by_key:?}");
    let growth = server.memory().unwrap().resident_max - idle;
    assert!(growth < GROWTH_BYTES_MAX, "{growth} bytes more");
    assert!(open < CLIENTS + DESCRIPTORS_MAX, "{open} descriptors");
    drop(client);
    assert!(server.stop().unwrap().success(), "{}", place.log());
}
