//! The checkout keeps the rules of the house.

#[test]
fn the_checkout_is_tidy() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("tidy")
        .env_remove("RUST_BACKTRACE")
        .output()
        .expect("xtask starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
