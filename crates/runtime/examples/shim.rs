//! The smallest host of a shim, for the tests. Never does anything when it is not started as one.

fn main() {
    landfall_runtime::shim::main_if_shim();
    std::process::exit(2);
}
