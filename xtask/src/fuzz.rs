//! `cargo xtask fuzz`: feeds the core's parsers what nobody would think of, see `fuzz/`.
//!
//! Not a part of `test`: it needs a nightly compiler, and more is always better.

use std::{
    fs,
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    root,
    step::{Watch, quietly, step},
    tools,
};

const CARGO_FUZZ: &str = "0.13.2";

/// Feed the core's parsers what nobody would think of
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Fuzz this target only: its name without `.rs`
    target: Option<String>,
    /// Stop each target after this many executions
    #[arg(long, default_value_t = 1_000_000)]
    runs: u32,
    /// Or after this many seconds
    #[arg(long, default_value_t = 300)]
    seconds: u32,
}

/// A line of the table.
struct Row {
    target: String,
    executions: u64,
    seconds: f64,
    fault: Option<String>,
}

/// The command.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mut targets = targets()?;
    if let Some(target) = &args.target {
        if !targets.contains(target) {
            bail!("there is no target {target}: expected one of {}", targets.join(", "));
        }
        targets.retain(|name| name == target);
    }
    install()?;
    step("build the fuzz targets", || quietly(cargo_fuzz().arg("build").args(&args.target)))?;

    let mut rows = Vec::new();
    for target in targets {
        rows.push(step(&format!("fuzz {target}"), || fuzz(target, args))?);
    }
    report(&rows);
    Ok(if rows.iter().all(|row| row.fault.is_none()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The names of the targets, in order.
fn targets() -> Result<Vec<String>> {
    let files = list(&root().join("fuzz/fuzz_targets"))?;
    let mut targets: Vec<_> = files.iter().filter_map(|name| Some(name.strip_suffix(".rs")?.to_owned())).collect();
    targets.sort();
    Ok(targets)
}

/// Makes sure that there is a nightly compiler, and cargo-fuzz.
fn install() -> Result<()> {
    quietly(Command::new("rustup").args(["run", "nightly", "rustc", "--version"]))
        .context("fuzzing needs a nightly compiler: run `rustup toolchain install nightly`, then this again")?;
    // cargo looks for itself whether this version is there, and is then done at once
    step(&format!("install cargo-fuzz {CARGO_FUZZ}"), || {
        let version = format!("={CARGO_FUZZ}");
        let folder = root().join(".tools/cargo");
        let mut command = tools::cargo();
        command.args(["install", "cargo-fuzz", "--locked", "--quiet", "--version", &version, "--root"]);
        quietly(command.arg(folder)).map(drop)
    })
}

/// cargo-fuzz, and by it the nightly compiler rather than the one that runs xtask.
fn cargo_fuzz() -> Command {
    let mut command = Command::new(root().join(".tools/cargo/bin/cargo-fuzz"));
    command.env("RUSTUP_TOOLCHAIN", "nightly").env_remove("CARGO").arg("fuzz");
    command
}

fn fuzz(target: String, args: &Args) -> Result<Row> {
    plant(&target)?;
    let mut command = cargo_fuzz();
    command.args(["run", &target, "--"]).args([
        format!("-runs={}", args.runs),
        format!("-max_total_time={}", args.seconds),
        format!("-dict={}", root().join("fuzz/words.dict").display()),
        "-print_final_stats=1".to_owned(),
    ]);
    let watch = Watch::start();
    let output = command.output().context("cannot run cargo-fuzz")?;
    let seconds = watch.elapsed().as_secs_f64();
    let text = String::from_utf8_lossy(&output.stderr);
    let executions = executions(&text).unwrap_or(0);
    let fault = if !output.status.success() {
        println!("{text}");
        Some("FAILED, see above".to_owned())
    } else if executions == 0 {
        Some("ran nothing".to_owned())
    } else {
        None
    };
    Ok(Row { target, executions, seconds, fault })
}

/// Puts the seeds beside what earlier runs found.
fn plant(target: &str) -> Result<()> {
    let (seeds, corpus) = (root().join("fuzz/corpus-seed").join(target), root().join("fuzz/corpus").join(target));
    fs::create_dir_all(&corpus).context("cannot create fuzz/corpus")?;
    for seed in list(&seeds)? {
        fs::copy(seeds.join(&seed), corpus.join(&seed)).with_context(|| format!("cannot copy the seed {seed}"))?;
    }
    Ok(())
}

/// The names in a folder.
fn list(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// How often the target ran, in libFuzzer's closing figures.
fn executions(output: &str) -> Option<u64> {
    output.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:")?.trim().parse().ok())
}

fn report(rows: &[Row]) {
    println!("\n{:<16}{:>12}{:>9}{:>9}  result", "target", "executions", "seconds", "exec/s");
    for Row { target, executions, seconds, fault } in rows {
        #[allow(clippy::cast_precision_loss, reason = "shown without decimals")]
        let speed = *executions as f64 / seconds;
        println!("{target:<16}{executions:>12}{seconds:>9.1}{speed:>9.0}  {}", fault.as_deref().unwrap_or("ok"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executions_are_read_from_the_closing_figures() {
        let output =
            "Done 7 runs in 1 second(s)\nstat::number_of_executed_units: 1000000\nstat::average_exec_per_sec:     7\n";
        assert_eq!(executions(output), Some(1_000_000));
        assert_eq!(executions("thread panicked"), None);
    }

    #[test]
    fn every_target_is_in_the_manifest_and_has_seeds() {
        let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
        let targets = targets().unwrap();
        assert!(!targets.is_empty());
        for target in targets {
            assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
            assert!(!list(&root().join("fuzz/corpus-seed").join(&target)).unwrap().is_empty(), "{target}");
        }
    }
}
