//! `cargo xtask lint`: formats, types, lints and the rules of the house. All are required, and all faults are shown at once.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{
    build::{self, Product},
    guards,
    step::{quietly, step},
    tools,
    wasm::Profile,
};

/// Check formats, types, lints and the rules of the house.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Format, and mend what can be mended without thought, before checking
    #[arg(long)]
    fix: bool,
}

/// The command.
pub(crate) fn run(args: &Args) -> Result<()> {
    tools::wasm_target()?;
    tools::node_packages()?;
    if args.fix {
        step("cargo fmt", || quietly(tools::cargo().args(["fmt", "--all"])))?;
        // What is left is shown below.
        let _ = step("biome check --write", || quietly(node_program("biome")?.args(["check", "--write", "."])));
    }

    let mut faults = Vec::new();
    // The storefront's types are those of the package that is installed there.
    let built = build::build(&Product::ALL, Profile::Release);
    if let Err(error) = &built {
        faults.push(("build", format!("{error:#}")));
    }
    for (name, mut command) in checks()? {
        if let Err(error) = step(name, || quietly(&mut command)) {
            faults.push((name, format!("{error:#}")));
        }
    }
    let mut rules = |name: &'static str, check: fn() -> Result<Vec<String>>| {
        if let Err(error) = step(name, || match check()?.as_slice() {
            [] => Ok(()),
            broken => bail!(broken.join("\n")),
        }) {
            faults.push((name, format!("{error:#}")));
        }
    };
    rules("rules of the house", guards::check);
    if built.is_ok() {
        rules("secrets in what is built", guards::check_built);
    }
    let unchecked = match advisories() {
        Ok(unchecked) => unchecked,
        Err(error) => {
            faults.push(("advisories", format!("{error:#}")));
            None
        }
    };

    for (name, text) in &faults {
        println!("\n=== {name}\n{text}");
    }
    if let Some(why) = unchecked {
        println!("\nadvisories: not checked, no database reachable\n{why}");
    }
    match faults.len() {
        0 => Ok(()),
        count => bail!(
            "{count} of the checks failed: {}",
            faults.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
        ),
    }
}

fn checks() -> Result<Vec<(&'static str, Command)>> {
    let cargo = |arguments: &str| {
        let mut command = tools::cargo();
        command.args(arguments.split(' '));
        command
    };
    let mut doc = cargo("doc --no-deps --workspace --quiet");
    let mut doc_js =
        cargo("doc --no-deps --quiet --target wasm32-unknown-unknown -p omise-linked-accounts --features js,webhook");
    for command in [&mut doc, &mut doc_js] {
        command.env("RUSTDOCFLAGS", "-Dwarnings");
    }
    let mut biome = node_program("biome")?;
    biome.args(["check", "--error-on-warnings", "."]);
    let mut tsc = node_program("tsc")?;
    tsc.args(["--project", "tsconfig.json", "--noEmit"]);
    // Biome's rule does not see types from node_modules, so it is blind to node:assert and Playwright, where it matters most.
    let mut oxlint = node_program("oxlint")?;
    oxlint.args(["--type-aware", "--deny-warnings", "."]);
    Ok(vec![
        ("rustfmt", cargo("fmt --all --check")),
        ("clippy", cargo("clippy --quiet --workspace --all-targets -- -Dwarnings")),
        (
            "clippy, worker and sandbox on wasm32",
            cargo(
                "clippy --quiet --target wasm32-unknown-unknown -p omise-linked-accounts-worker -p omise-linked-accounts-sandbox \
                 -- -Dwarnings",
            ),
        ),
        (
            "clippy, core with js on wasm32",
            cargo(
                "clippy --quiet --target wasm32-unknown-unknown -p omise-linked-accounts --features js,webhook --lib --test js_node \
                 --test js_browser -- -Dwarnings",
            ),
        ),
        (
            "clippy, validate on wasm32",
            cargo(
                "clippy --quiet --target wasm32-unknown-unknown -p omise-linked-accounts --features validate --lib -- -Dwarnings",
            ),
        ),
        // a workspace of its own, since its toolchain is a nightly one
        ("clippy, fuzz", cargo("clippy --quiet --manifest-path fuzz/Cargo.toml --all-targets")),
        ("cargo deny", deny(Lockfile::Workspace, &[], "bans licenses sources")?),
        ("cargo deny, fuzz", deny(Lockfile::Fuzz, &[], "bans licenses sources")?),
        ("cargo package, core", cargo("package --quiet --allow-dirty -p omise-linked-accounts")),
        ("rustdoc", doc),
        ("rustdoc, core with js", doc_js),
        ("biome", biome),
        ("tsc", tsc),
        ("oxlint, promises that are not awaited", oxlint),
    ])
}

/// Whose dependencies are looked at.
#[derive(Clone, Copy)]
enum Lockfile {
    Workspace,
    Fuzz,
}

/// cargo-deny, by deny.toml.
fn deny(lockfile: Lockfile, flags: &[&str], checks: &str) -> Result<Command> {
    let mut command = Command::new(tools::cargo_deny()?);
    command.args(["--config", "deny.toml", "--locked"]).args(flags);
    // What deny.toml lets through for one of the two is of no use to the other.
    let unused: &[&str] = match lockfile {
        Lockfile::Workspace => {
            command.arg("--workspace");
            &["license-exception-not-encountered"]
        }
        Lockfile::Fuzz => {
            command.args(["--manifest-path", "fuzz/Cargo.toml"]);
            &["license-exception-not-encountered", "license-not-encountered", "unmatched-skip", "unnecessary-skip"]
        }
    };
    command.args(["check", "--deny=warnings"]).args(unused.iter().map(|code| format!("--allow={code}")));
    command.args(checks.split(' '));
    Ok(command)
}

/// What is known against our dependencies. The list is a repository on the internet: where it cannot be had, that is no fault of
/// the project's, and the reason is returned, to be said aloud.
fn advisories() -> Result<Option<String>> {
    // By itself, so that whatever fails after it is a finding. git would wait for minutes where nobody answers.
    let mut fetch = Command::new("timeout");
    fetch.arg("60").arg(tools::cargo_deny()?).args(["--config", "deny.toml", "fetch", "db"]);
    if let Err(why) = step("fetch advisories", || quietly(&mut fetch)) {
        return Ok(Some(format!("{why:#}")));
    }
    for lockfile in [Lockfile::Workspace, Lockfile::Fuzz] {
        step("cargo deny, advisories", || quietly(&mut deny(lockfile, &["--offline"], "advisories")?))?;
    }
    Ok(None)
}

fn node_program(name: &str) -> Result<Command> {
    let mut command = Command::new(tools::node_program(name)?);
    command.env("PATH", tools::path_with_node()?);
    Ok(command)
}
