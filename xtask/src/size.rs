//! `cargo xtask size`: what is shipped, in bytes, and how long the Worker takes to start.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
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

/// The command.
pub(crate) fn run() -> Result<()> {
    build::build(&[Product::Worker, Product::Sandbox, Product::Package])?;

    let validator = build::validator()?;
    let package = build::package_folder();
    let entry = browser_entry(&package)?;
    println!("{:<46}{:>9}{:>9}{:>11}", "bytes", "raw", "gzip -9", "brotli 11");
    total("npm entry (before the first call)", &closure(&entry)?)?;
    for (what, folder) in [("browser", package), ("validator", validator)] {
        let files = ["omise_linked_accounts.js", "omise_linked_accounts_bg.wasm"].map(|name| folder.join(name));
        each(what, &folder, &files)?;
    }
    for (worker, files) in [
        ("worker", ["entry.js", "rescue.js", "build/index.js", "build/index_bg.wasm"].as_slice()),
        ("sandbox", &["build/index.js", "build/index_bg.wasm"]),
    ] {
        let folder = root().join(worker);
        let files: Vec<PathBuf> = files.iter().map(|name| folder.join(name)).collect();
        each(worker, &folder, &files)?;
    }
    println!("worker: start-up in workerd, on this machine: {:.0} ms (Cloudflare allows 1000)", startup()?);
    Ok(())
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

/// A line for each file and one for all.
fn each(what: &str, folder: &Path, files: &[PathBuf]) -> Result<()> {
    for file in files {
        let name = file.strip_prefix(folder).unwrap_or(file).display();
        line(&format!("{what}: {name}"), size_of(file)?);
    }
    total(&format!("{what}: total"), files)
}

fn total(what: &str, files: &[PathBuf]) -> Result<()> {
    let mut total = Size::default();
    for file in files {
        let size = size_of(file)?;
        total.raw += size.raw;
        total.gzip += size.gzip;
        total.brotli += size.brotli;
    }
    line(what, total);
    Ok(())
}

fn line(what: &str, size: Size) {
    println!("{what:<46}{:>9}{:>9}{:>11}", size.raw, size.gzip, size.brotli);
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

/// The file that a browser's `import 'omise-linked-accounts'` loads.
fn browser_entry(package: &Path) -> Result<PathBuf> {
    let text = fs::read_to_string(package.join("package.json")).context("cannot read the package's package.json")?;
    let json: Value = serde_json::from_str(&text).context("cannot read the package's package.json")?;
    let entry = json.pointer("/exports/.").and_then(resolve).context("the package has no entry for browsers")?;
    Ok(package.join(entry.trim_start_matches("./")))
}

/// Follows the conditions that browsers and bundlers know.
fn resolve(target: &Value) -> Option<&str> {
    match target {
        Value::String(file) => Some(file),
        Value::Object(conditions) => {
            ["browser", "import", "default"].iter().find_map(|name| resolve(conditions.get(*name)?))
        }
        _ => None,
    }
}

/// A module with those that it imports at once; what it imports on demand does not count.
fn closure(entry: &Path) -> Result<Vec<PathBuf>> {
    let mut files = BTreeSet::new();
    let mut open = vec![entry.to_owned()];
    while let Some(file) = open.pop() {
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let folder = file.parent().context("a module in no folder")?;
        for name in static_imports(&text) {
            if !name.starts_with("./") {
                bail!("{} imports {name}, whose size is not known", file.display());
            }
            open.push(folder.join(name.trim_start_matches("./")));
        }
        files.insert(file);
        open.retain(|file| !files.contains(file));
    }
    Ok(files.into_iter().collect())
}

/// Names after `from` or a bare `import` at the beginning of a statement.
fn static_imports(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for line in text.lines().map(str::trim) {
        let name = if line.starts_with("import ") || line.starts_with("export ") || line.starts_with("} from ") {
            line.rsplit_once("from ").map(|(_, name)| name).or_else(|| line.strip_prefix("import "))
        } else {
            None
        };
        let Some(name) = name else { continue };
        let name = name.trim_end_matches(';');
        let quoted = |quote| name.strip_prefix(quote).and_then(|name: &str| name.strip_suffix(quote));
        names.extend(quoted('\'').or_else(|| quoted('"')));
    }
    names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn imports_on_demand_do_not_count() {
        let text = "import { a } from './a.js'\nimport \"./b.js\";\nexport { c } from './c.js';\nimport {\n  d,\n} from './d.js'\n\
                    export const load = () => import('./later.js')\nconst from = 'from'\n";
        assert_eq!(static_imports(text), ["./a.js", "./b.js", "./c.js", "./d.js"]);
    }

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

    #[test]
    fn conditions_are_followed_to_a_file() {
        let exports = json!({ "types": "./a.d.ts", "workerd": "./w.js", "browser": { "types": "./b.d.ts", "default": "./b.js" } });
        assert_eq!(resolve(&exports), Some("./b.js"));
        assert_eq!(resolve(&json!("./only.js")), Some("./only.js"));
        assert_eq!(resolve(&json!({ "node": "./n.js" })), None);
    }
}
