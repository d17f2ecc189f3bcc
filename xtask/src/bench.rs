//! `cargo xtask bench`: how fast it is, beside what a user would take instead. Measurements, not tests: nothing fails for being slow.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use crate::{
    build::{self, Product},
    tools,
};

/// Measure against peers
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run this part only
    #[arg(long)]
    only: Option<Part>,
    /// Fewer rounds: the figures are for the console
    #[arg(long)]
    quick: bool,
}

/// What is measured.
#[derive(Clone, Copy, ValueEnum)]
enum Part {
    /// The core's parsers and codecs, natively
    Core,
    /// The rules of a form against valibot and zod, in Node and in Chromium
    Validate,
    /// The Worker as its ledger grows, and as many wait for one account
    Growth,
}

/// The command.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let parts = args.only.map_or_else(|| Part::value_variants().to_vec(), |part| vec![part]);
    for part in parts {
        let mut command = part.prepare()?;
        if args.quick {
            command.env("QUICK", "1");
        }
        let status = command.status().context("cannot run the benchmark")?;
        if !status.success() {
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Part {
    fn prepare(self) -> Result<Command> {
        match self {
            Self::Core => {
                let mut command = tools::cargo();
                command.args(["bench", "--package", "omise-linked-accounts"]);
                Ok(command)
            }
            Self::Validate => {
                build::build(&[Product::Package])?;
                let mut command = tools::node_command()?;
                command.arg("benches/validate/run.ts");
                tools::in_browser(&mut command)?;
                Ok(command)
            }
            Self::Growth => {
                build::build(&[Product::Worker])?;
                let mut command = tools::node_command()?;
                command.arg("benches/growth/run.ts");
                Ok(command)
            }
        }
    }
}
