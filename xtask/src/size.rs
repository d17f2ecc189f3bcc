//! `cargo xtask size`: what is shipped, in bytes, and how long the Worker takes to start. Fails where a budget is passed.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result};
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;

use crate::{
    build::{self, Product},
    root,
    step::quietly,
    tools,
};

/// Sizes of one thing.
#[derive(Clone, Copy, Default)]
struct Size {
    raw: usize,
    gzip: usize,
    brotli: usize,
}

/// What may be loaded, in gzipped bytes: by a page that Vite has built, and by Cloudflare.
const BUDGETS: [(&str, &str, usize); 6] = [
    ("/client/critical", "page with the client: JavaScript before the first call", 3 << 10),
    ("/client/wasm", "page with the client: module and glue", 24 << 10),
    ("/client/words", "page with the client: messages of a language", 2 << 10),
    ("/validate/critical", "page with /validate: JavaScript before the first call", 3 << 10),
    ("/validate/wasm", "page with /validate: module and glue", 12 << 10),
    ("/worker", "Worker: all that is uploaded", 160 << 10),
];

/// The command.
pub(crate) fn run() -> Result<ExitCode> {
    build::build(&[Product::Worker, Product::Sandbox, Product::Package])?;

    let package = build::package_folder();
    println!("{:<58}{:>9}{:>9}{:>11}", "bytes", "raw", "gzip -9", "brotli 11");
    for (name, _) in build::MODULES {
        let folder = package.join("wasm");
        each(name, &folder, &[folder.join(format!("{name}.js")), folder.join(format!("{name}_bg.wasm"))])?;
    }
    let files = |folder: &str, names: &[&str]| -> Vec<PathBuf> {
        names.iter().map(|name| root().join(folder).join(name)).collect()
    };
    let worker = files("worker", &["entry.js", "rescue.js", "build/index.js", "build/index_bg.wasm"]);
    let worker = each("worker", &root().join("worker"), &worker)?;
    each("sandbox", &root().join("sandbox"), &files("sandbox", &["build/index.js", "build/index_bg.wasm"]))?;

    let mut found = pages()?;
    if let Some(found) = found.as_object_mut() {
        found.insert("worker".to_owned(), worker.gzip.into());
    }
    println!("\n{:<58}{:>9}{:>9}", "gzip -9", "bytes", "budget");
    let mut passed = 0;
    for (pointer, what, budget) in BUDGETS {
        let size =
            found.pointer(pointer).and_then(Value::as_u64).with_context(|| format!("{pointer} was not measured"))?;
        let over = size.saturating_sub(budget as u64);
        passed += usize::from(over > 0);
        let over = if over > 0 { format!("  {over} over") } else { String::new() };
        println!("{what:<58}{size:>9}{budget:>9}{over}");
    }
    for (pointer, what) in [("/client/rest", "client"), ("/validate/rest", "/validate")] {
        let size = found.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
        println!("{:<58}{size:>9}", format!("page with {what}: other JavaScript of the first call"));
    }
    println!("\nworker: start-up in workerd, on this machine: {:.0} ms (Cloudflare allows 1000)", startup()?);
    Ok(if passed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What pages load, as Vite builds them.
fn pages() -> Result<Value> {
    let printed = quietly(tools::node_command()?.arg("benches/size.ts"))?;
    let last = printed.lines().last().unwrap_or_default();
    serde_json::from_str(last).context("benches/size.ts printed something else than sizes")
}

/// How long workerd is busy starting the Worker, in milliseconds: the median of three profiles by wrangler.
fn startup() -> Result<f64> {
    let file = root().join("target/xtask/startup.cpuprofile");
    let mut times = Vec::new();
    for _ in 0..3 {
        let mut command = Command::new(tools::node_program("wrangler")?);
        command
            .args(["check", "startup", "--args=--env test", "--outfile"])
            .arg(&file)
            .current_dir(root().join("worker"))
            .env("PATH", tools::path_with_node()?)
            .env("WRANGLER_SEND_METRICS", "false");
        quietly(&mut command)?;
        let text = fs::read_to_string(&file).context("wrangler wrote no profile")?;
        times.push(busy(&serde_json::from_str(&text).context("wrangler's profile cannot be read")?)?);
    }
    times.sort_by(f64::total_cmp);
    times.get(1).copied().context("no profile")
}

/// The time of a CPU profile in which something ran, in milliseconds.
fn busy(profile: &Value) -> Result<f64> {
    let array =
        |name: &str| profile.get(name).and_then(Value::as_array).with_context(|| format!("the profile has no {name}"));
    let is_idle = |node: &&Value| node.pointer("/callFrame/functionName").is_some_and(|name| name == "(idle)");
    let idle = array("nodes")?.iter().find(is_idle).and_then(|node| node.get("id"));
    let samples = array("samples")?.iter().zip(array("timeDeltas")?);
    let micros: f64 = samples.filter(|(node, _)| Some(*node) != idle).filter_map(|(_, delta)| delta.as_f64()).sum();
    Ok(micros / 1_000.0)
}

/// A line for each file and one for all; the sum.
fn each(what: &str, folder: &Path, files: &[PathBuf]) -> Result<Size> {
    let mut total = Size::default();
    for file in files {
        let name = file.strip_prefix(folder).unwrap_or(file).display();
        let size = size_of(file)?;
        line(&format!("{what}: {name}"), size);
        total.raw += size.raw;
        total.gzip += size.gzip;
        total.brotli += size.brotli;
    }
    line(&format!("{what}: total"), total);
    Ok(total)
}

fn line(what: &str, size: Size) {
    println!("{what:<58}{:>9}{:>9}{:>11}", size.raw, size.gzip, size.brotli);
}

fn size_of(file: &Path) -> Result<Size> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&bytes)?;
    let mut brotli = Vec::new();
    let params = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 22, ..Default::default() };
    brotli::BrotliCompress(&mut bytes.as_slice(), &mut brotli, &params)?;
    Ok(Size { raw: bytes.len(), gzip: gzip.finish()?.len(), brotli: brotli.len() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn idle_time_is_not_start_up() {
        let profile = json!({
            "nodes": [
                { "id": 1, "callFrame": { "functionName": "(idle)" } },
                { "id": 2, "callFrame": { "functionName": "start" } }
            ],
            "samples": [1, 2, 2],
            "timeDeltas": [9_000, 1_500, 500]
        });
        assert!((busy(&profile).unwrap() - 2.0).abs() < 1e-9);
        assert!(busy(&json!({ "nodes": [], "samples": [] })).is_err());
    }
}
