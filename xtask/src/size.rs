//! `cargo xtask size`: the bytes of what is shipped, against budgets that only ever shrink unless a commit says why. Fails above one.

use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::{
    build::{self, Product},
    tools,
    wasm::Profile,
};

/// The command.
pub(crate) fn run() -> Result<ExitCode> {
    build::build(&[Product::Worker, Product::Sandbox, Product::Package], Profile::Release)?;
    let status = tools::node_command()?.arg("benches/size.ts").status().context("cannot run benches/size.ts")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
