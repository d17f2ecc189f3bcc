//! `cargo xtask bench`: how fast it is, beside what a user would take instead. Measurements, not tests: nothing fails for being slow.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use crate::{
    build::{self, Product},
    tools,
    wasm::Profile,
};

/// Measure against peers
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run this part only
    #[arg(long)]
    only: Option<Part>,
    /// Fewer rounds, for a glance: what they measure goes to target/bench/, and replaces nothing under docs/bench/
    #[arg(long)]
    quick: bool,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The core's parsers and codecs, natively
    Core,
    /// The rules of a form against zod, valibot and hand-written ones, in Node and in Chromium
    Validate,
    /// The same, the form that is loaded with them, and the bytes of the package against those of others
    Browser,
    /// The Worker against a pass-through and against a Worker in TypeScript, in workerd
    Edge,
    /// The sandbox, and what holds it back
    Sandbox,
    /// The Worker as its ledger grows, and as many wait for one account
    Growth,
}

/// The command.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    // the rules are a part of what the browser is asked
    let all = || Part::value_variants().iter().copied().filter(|part| *part != Part::Validate).collect();
    let parts: Vec<Part> = args.only.map_or_else(all, |part| vec![part]);
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
            Self::Validate | Self::Browser => {
                build::build(&[Product::Package], Profile::Release)?;
                let mut command = tools::node_command()?;
                command.arg("benches/browser/run.ts");
                if self == Self::Validate {
                    command.args(["--only", "validate"]);
                }
                tools::in_browser(&mut command)?;
                Ok(command)
            }
            Self::Edge => {
                build::build(&[Product::Worker], Profile::Release)?;
                let mut command = tools::node_command()?;
                command.arg("benches/edge/run.ts");
                Ok(command)
            }
            Self::Sandbox => {
                build::build(&[Product::Sandbox], Profile::Release)?;
                let mut command = tools::node_command()?;
                command.arg("benches/sandbox/run.ts");
                Ok(command)
            }
            Self::Growth => {
                build::build(&[Product::Worker], Profile::Release)?;
                let mut command = tools::node_command()?;
                command.arg("benches/growth/run.ts");
                Ok(command)
            }
        }
    }
}
