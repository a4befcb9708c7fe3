//! The smallest host of a shim, for the tests: `shim oci|process DATA` reads container specs, one JSON a line, starts
//! each and says `started` or why not. A line that is a path loads that image archive. Never stops by itself.

use std::io::BufRead;
use std::path::Path;

use landfall_runtime::{ContainerSpec, LocalRuntime, Runtime, RuntimeError};

#[tokio::main(flavor = "current_thread")]
async fn host(mode: &str, data: &Path) -> Result<(), RuntimeError> {
    let runtime = match mode {
        "oci" => LocalRuntime::oci(data)?,
        _ => LocalRuntime::process(data)?,
    };
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let done = match serde_json::from_str::<ContainerSpec>(&line) {
            Ok(spec) => runtime.start(&spec).await,
            Err(_) => runtime.load(Path::new(&line)).await.map(drop),
        };
        match done {
            Ok(()) => println!("started"),
            Err(e) => println!("{e}"),
        }
    }
    std::future::pending().await
}

fn main() {
    landfall_runtime::shim::main_if_shim();
    let arguments: Vec<_> = std::env::args().collect();
    if let [_, mode, data] = arguments.as_slice()
        && let Err(e) = host(mode, Path::new(data))
    {
        println!("{e}");
    }
    std::process::exit(2);
}
