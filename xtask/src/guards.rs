//! Rules of the house that no other tool checks.
//!
//! Each is a function over text, so that it can be seen failing, and [`check`] runs them all over the project.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{root, step::quietly, tools};

/// Crates that the core must not depend on: it does no I/O and runs anywhere.
const NOT_IN_THE_CORE: [&str; 12] = [
    "async-std",
    "futures",
    "futures-util",
    "getrandom",
    "gloo-net",
    "http",
    "hyper",
    "js-sys",
    "reqwest",
    "tokio",
    "wasm-bindgen",
    "worker",
];

/// Crates that work only with the very version that the CLI was made for.
const PINNED_CRATES: [&str; 6] =
    ["js-sys", "wasm-bindgen", "wasm-bindgen-futures", "wasm-bindgen-test", "web-sys", "worker"];

/// Where a package.json names packages.
const KINDS: [&str; 3] = ["dependencies", "devDependencies", "optionalDependencies"];

/// Everything that is wrong.
pub(crate) fn check() -> Result<Vec<String>> {
    let mut faults = Vec::new();

    let tree = quietly(tools::cargo().args([
        "tree",
        "--package=omise-linked-accounts",
        "--no-default-features",
        "--edges=normal",
        "--target=all",
        "--prefix=none",
    ]))?;
    faults.extend(core_dependencies(&tree));

    let metadata = quietly(tools::cargo().args(["metadata", "--no-deps", "--format-version=1"]))?;
    let metadata = serde_json::from_str(&metadata).context("cannot read what `cargo metadata` says")?;
    faults.extend(crate_pins(&metadata));

    for name in tracked("*Cargo.toml")? {
        faults.extend(manifest_switches(&name, &read(&name)?));
    }
    for name in tracked("*package-lock.json")? {
        faults.extend(lockfile_addresses(&name, &read(&name)?));
    }
    let package = serde_json::from_str(&read("package.json")?).context("cannot read package.json")?;
    faults.extend(package_pins(&package));
    let lockfile = serde_json::from_str(&read("package-lock.json")?).context("cannot read package-lock.json")?;
    faults.extend(lockfile_age(&package, &lockfile));
    Ok(faults)
}

/// Files of the project that match, as git sees it: committed or about to be.
fn tracked(pattern: &str) -> Result<Vec<String>> {
    let mut git = std::process::Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "--", pattern]);
    let names = quietly(&mut git)?;
    Ok(names.lines().map(str::to_owned).filter(|name| root().join(name).is_file()).collect())
}

fn read(name: &str) -> Result<String> {
    let path: PathBuf = root().join(name);
    fs::read_to_string(path).with_context(|| format!("cannot read {name}"))
}

/// `tree` is `cargo tree --prefix none`: a crate a line, its name first.
fn core_dependencies(tree: &str) -> Vec<String> {
    let mut names: Vec<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    names.sort_unstable();
    names.dedup();
    let banned = names.iter().filter(|name| NOT_IN_THE_CORE.contains(name) || name.starts_with("web-sys"));
    let mut faults: Vec<_> = banned.map(|name| format!("the core without features depends on {name}")).collect();
    if !names.contains(&"omise-linked-accounts") {
        faults.push("`cargo tree` does not show the core".to_owned());
    }
    faults
}

/// wasm-bindgen's family is pinned with `=` wherever a crate asks for it.
fn crate_pins(metadata: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut seen = 0;
    for package in array(metadata.get("packages")) {
        for dependency in array(package.get("dependencies")) {
            let (name, version) = (text(dependency.get("name")), text(dependency.get("req")));
            if PINNED_CRATES.contains(&name) {
                seen += 1;
                if !version.starts_with('=') {
                    faults.push(format!("{} depends on {name} {version}: pin it with `=`", text(package.get("name"))));
                }
            }
        }
    }
    if seen == 0 {
        faults.push("no crate depends on wasm-bindgen: is the check looking at the right thing?".to_owned());
    }
    faults
}

/// Switches that make modules that are broken, or big without a word.
fn manifest_switches(name: &str, manifest: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for line in manifest.lines() {
        let line: String = line.split('#').next().unwrap_or_default().split_whitespace().collect();
        if matches!(line.as_str(), "strip=true" | "strip=\"symbols\"") {
            faults.push(format!("{name}: `{line}` removes the target features that wasm-bindgen reads"));
        }
        if line == "wasm-opt=false" {
            faults.push(format!("{name}: `{line}` ships modules that are not optimised"));
        }
    }
    faults
}

/// A lockfile with addresses ties everybody to the registry of the one who wrote it.
fn lockfile_addresses(name: &str, lockfile: &str) -> Vec<String> {
    if lockfile.contains("\"resolved\": \"http") {
        vec![format!(
            "{name} holds \"resolved\" addresses: set omit-lockfile-registry-resolved=true in .npmrc and write it again"
        )]
    } else {
        Vec::new()
    }
}

/// The node packages that build and run what is shipped are pinned.
fn package_pins(package: &Value) -> Vec<String> {
    KINDS
        .iter()
        .filter_map(|kind| package.get(kind)?.as_object())
        .flatten()
        .filter(|(_, version)| !text(Some(version)).starts_with(|c: char| c.is_ascii_digit()))
        .map(|(name, version)| format!("package.json: {name} {} is not an exact version", text(Some(version))))
        .collect()
}

/// The lockfile was written for the package.json that is here. (`npm ci` would tell, but is not used: see `tools`.)
fn lockfile_age(package: &Value, lockfile: &Value) -> Option<String> {
    let same = KINDS.iter().all(|kind| package.get(kind) == lockfile.pointer(&format!("/packages//{kind}")));
    (!same).then(|| "package-lock.json is not that of package.json: run `npm install --ignore-scripts`".to_owned())
}

fn array(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text(value: Option<&Value>) -> &str {
    value.and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_project_keeps_its_rules() {
        std::env::set_current_dir(root()).unwrap();
        assert_eq!(check().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_forbidden_dependency_of_the_core_is_named() {
        let tree = "omise-linked-accounts v0.1.0 (/somewhere)\nserde v1.0.228\ntokio v1.53.1\nhttp v1.4.0\nserde v1.0.228 (*)\n";
        assert_eq!(
            core_dependencies(tree),
            ["the core without features depends on http", "the core without features depends on tokio"]
        );
        assert_eq!(core_dependencies("omise-linked-accounts v0.1.0\nhttparse v1.10.0\n"), Vec::<String>::new());
        assert_eq!(core_dependencies("").len(), 1, "an empty tree proves nothing");
    }

    #[test]
    fn an_unpinned_crate_is_named() {
        let metadata = |version| json!({ "packages": [{ "name": "shop", "dependencies": [{ "name": "js-sys", "req": version }] }] });
        assert_eq!(crate_pins(&metadata("^0.3.107")), ["shop depends on js-sys ^0.3.107: pin it with `=`"]);
        assert_eq!(crate_pins(&metadata("=0.3.107")), Vec::<String>::new());
        assert_eq!(crate_pins(&json!({})).len(), 1, "no crates prove nothing");
    }

    #[test]
    fn dangerous_switches_are_named() {
        assert_eq!(manifest_switches("Cargo.toml", "[profile.release]\nstrip = true # smaller\n").len(), 1);
        assert_eq!(manifest_switches("Cargo.toml", "strip=\"symbols\"\nwasm-opt = false\n").len(), 2);
        assert_eq!(
            manifest_switches("Cargo.toml", "# `strip = true` is bad\nstrip = \"debuginfo\"\n"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn addresses_in_a_lockfile_are_noticed() {
        assert_eq!(lockfile_addresses("package-lock.json", "\"resolved\": \"https://example.com/a.tgz\",").len(), 1);
        assert_eq!(lockfile_addresses("package-lock.json", "\"version\": \"1.0.0\","), Vec::<String>::new());
    }

    #[test]
    fn a_lockfile_of_another_package_json_is_noticed() {
        let package = json!({ "devDependencies": { "esbuild": "0.28.2" } });
        let lockfile = |version| json!({ "packages": { "": { "devDependencies": { "esbuild": version } } } });
        assert_eq!(lockfile_age(&package, &lockfile("0.28.2")), None);
        assert!(lockfile_age(&package, &lockfile("0.28.1")).is_some());
    }

    #[test]
    fn an_open_version_of_a_node_package_is_named() {
        let package = json!({ "devDependencies": { "wrangler": "^4.86.0", "esbuild": "0.28.2" } });
        assert_eq!(package_pins(&package), ["package.json: wrangler ^4.86.0 is not an exact version"]);
    }
}
