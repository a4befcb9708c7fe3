//! Tells the linker how to lay out the binary. Never makes code.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // A program of this size has 1.4 MB of relocations in the long form, all of which are read at each start.
    println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
}
