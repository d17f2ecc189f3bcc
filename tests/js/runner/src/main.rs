//! Runs the tests of the core's JavaScript surface. `cargo install wasm-bindgen-cli` would bring the same program, in a release build
//! that takes minutes, of a version that nothing holds to the one in Cargo.lock.

fn main() -> anyhow::Result<()> {
    wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(std::env::args_os())
}
