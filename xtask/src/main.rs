//! `cargo xtask …`: every command that a person or CI runs.
//!
//! It needs rustup's cargo, and Node ≥ 20 with npm; everything else is fetched into the project by [`tools`].

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

mod bench;
mod build;
mod counts;
mod coverage;
mod dev;
mod fuzz;
mod guards;
mod lint;
mod load;
mod secrets;
mod size;
mod stamp;
mod step;
mod test;
mod texts;
mod tools;
mod wasm;

/// Every command that a person or CI runs.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build what changed, start everything on this machine and print the URL to open
    Dev(dev::Args),
    /// Build the Worker, the sandbox, the npm packages, and install the one for shops in the storefront
    Build(build::Args),
    /// Run the test suites and count what passed
    Test(test::Args),
    /// Check formats, types, lints and the rules of the house
    Lint(lint::Args),
    /// Feed the core's parsers what nobody would think of
    Fuzz(fuzz::Args),
    /// Let a thousand customers come at a steady rate, with faults, and count what is lost
    Load(load::Args),
    /// Measure against peers
    Bench(bench::Args),
    /// Show what is shipped in bytes: raw, gzip and brotli
    Size,
}

fn main() -> ExitCode {
    run(&Cli::parse().command).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(command: &Command) -> Result<ExitCode> {
    // Tools that look for their configuration in the working directory find it wherever this was called from.
    std::env::set_current_dir(root()).context("cannot enter the project's folder")?;
    match command {
        Command::Dev(args) => dev::run(args)?,
        Command::Build(args) => build::run(args)?,
        Command::Test(args) => return Ok(test::run(args)),
        Command::Lint(args) => lint::run(args)?,
        Command::Fuzz(args) => return fuzz::run(args),
        Command::Load(args) => return load::run(args),
        Command::Bench(args) => return bench::run(args),
        Command::Size => return size::run(),
    }
    Ok(ExitCode::SUCCESS)
}

/// The project's folder.
fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// Where cargo puts what it compiles; what xtask makes itself is always under `target/`.
fn cargo_target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}
