//! `cargo xtask load`: customers at a steady rate for minutes, while Omise fails now and then, see `tests/load/run.ts`.
//!
//! Not a part of `test`: it takes its time, and a machine that does nothing else.

use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::{
    build::{self, Product},
    tools,
    wasm::Profile,
};

/// Send requests at a steady rate while Omise fails now and then, and see that nothing is lost
#[derive(clap::Args)]
pub(crate) struct Args {
    /// One minute rather than ten; memory is shown, not judged
    #[arg(long, conflicts_with = "seconds")]
    quick: bool,
    /// Go on for this many seconds
    #[arg(long, value_name = "N", default_value_t = 600, value_parser = clap::value_parser!(u32).range(5..=86_400))]
    seconds: u32,
    /// Send this many requests a second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: Option<u32>,
    /// Choose as the run with this seed did
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=0x7fff_ffff))]
    seed: Option<u32>,
}

/// The command.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    build::build(&[Product::Worker, Product::Sandbox], Profile::Release)?;

    let seconds = if args.quick { 60 } else { args.seconds };
    let mut command = tools::node_command()?;
    command.args(["tests/load/run.ts", "--seconds", &seconds.to_string()]);
    for (name, value) in [("--rate", args.rate), ("--seed", args.seed)] {
        if let Some(value) = value {
            command.args([name, &value.to_string()]);
        }
    }
    let status = command.status().context("cannot run tests/load/run.ts")?;
    // ended by a signal: there is no code
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
