//! Rules of the house that no other tool checks.
//!
//! Each is a function over text, so that it can be seen failing. [`check`] runs them over the project, [`check_built`] over what
//! is shipped of it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{build, cargo_target_dir, root, step::quietly, tools, wasm::Profile};

/// Crates that the core must not depend on: it does no I/O and runs anywhere.
const NOT_IN_THE_CORE: [&str; 13] = [
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
    "ureq",
    "wasm-bindgen",
    "worker",
];

/// Crates that work only with the very version that the CLI was made for.
const PINNED_CRATES: [&str; 6] =
    ["js-sys", "wasm-bindgen", "wasm-bindgen-futures", "wasm-bindgen-test", "web-sys", "worker"];

/// Where a package.json names packages.
const KINDS: [&str; 3] = ["dependencies", "devDependencies", "optionalDependencies"];

/// Secrets by the names that the Worker and the sandbox read them by: their own bundles have to hold these, and no other product has
/// a use for them.
const SECRETS: [&str; 5] = ["OMISE_SECRET_KEY", "SESSION_SECRET", "LEDGER_KEY", "WEBHOOK_SECRET", "CONTROL_TOKEN"];

/// Where the secrets of this machine are, if it has any.
const LOCAL_SECRETS: [&str; 2] = ["worker/.dev.vars", "sandbox/.dev.vars"];

/// What the sandbox's npm package says of itself.
const SANDBOX_MANIFEST: &str = "sandbox/npm/package.json";

/// What only the build of the Worker holds that dies where a request asks for it. That this build does hold it is a test of the
/// Worker's.
const WORKER_FAULT: &str = "X-Fault";

/// What the sandbox's npm package holds, and nothing else that is shipped may.
const SANDBOX: [&str; 3] = ["X-Sandbox-Fault", "the sandbox", "/register.css"];

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
    let sandbox =
        serde_json::from_str(&read(SANDBOX_MANIFEST)?).with_context(|| format!("cannot read {SANDBOX_MANIFEST}"))?;
    faults.extend(sandbox_dependencies(&sandbox, &package));
    let lockfile = serde_json::from_str(&read("package-lock.json")?).context("cannot read package-lock.json")?;
    faults.extend(lockfile_age(&package, &lockfile));
    let files = tracked("*")?;
    for name in files.iter().filter(|name| is_document(name)) {
        faults.extend(missing_files(name, &read(name)?, &files));
    }
    Ok(faults)
}

/// Everything that is wrong with the Worker's bundle and the npm packages, which have to be there.
pub(crate) fn check_built() -> Result<Vec<String>> {
    let mut banned = vec![Banned::new("a source map", "sourceMappingURL")];
    banned.extend(places(&[
        Some(root().to_owned()),
        Some(cargo_target_dir()),
        home::cargo_home().ok(),
        home::home_dir(),
    ]));
    for name in LOCAL_SECRETS {
        if root().join(name).exists() {
            banned.extend(local_secrets(name, &read(name)?));
        }
    }

    let mut faults = Vec::new();
    // It is for tests, and knows the names of its own secrets.
    let workers = [WORKER_FAULT, "SESSION_SECRET", "LEDGER_KEY"]
        .map(|text| Banned::new(format!("`{text}`, which is the Worker's"), text));
    let sandbox = files_of(&build::sandbox_package_folder(Profile::Release))?;
    faults.extend(leaks("the sandbox's npm package", &sandbox, &[&banned[..], &workers].concat()));
    faults.extend(SANDBOX.iter().filter(|text| !sandbox.values().any(|bytes| holds(bytes, text))).map(|text| {
        format!("the sandbox's npm package does not hold `{text}`: looking for it elsewhere proves nothing")
    }));
    let packed = packed_files(&build::sandbox_tarball(Profile::Release))?;
    faults.extend(strays("the sandbox's npm package", &packed, &SANDBOX_FILES));

    for text in [WORKER_FAULT].iter().chain(&SANDBOX) {
        banned.push(Banned::new(format!("`{text}`, which is for tests"), *text));
    }
    let mut worker = files_of(&root().join("worker/build"))?;
    for name in ["audit-log.js", "customer.js", "edge.js", "entry.js", "microtask.js", "rescue.js"] {
        worker.insert(name.to_owned(), read(&format!("worker/{name}"))?.into_bytes());
    }
    faults.extend(leaks("the Worker", &worker, &banned));

    banned.extend(SECRETS.map(|name| Banned::new("the name of a secret", name)));
    banned.extend(["skey_", "pkey_"].map(|start| Banned::new("the start of a key", start)));
    faults.extend(leaks("the npm package", &files_of(&build::package_folder(Profile::Release))?, &banned));
    Ok(faults)
}

/// The list of a packed package.
fn packed_files(tarball: &Path) -> Result<String> {
    quietly(Command::new("tar").args(["--list", "--gzip", "--file"]).arg(tarball))
}

/// A text that must not be in a product.
#[derive(Clone)]
struct Banned {
    /// What is said of it; of a secret never the text.
    what: String,
    text: String,
}

impl Banned {
    fn new(what: impl Into<String>, text: impl Into<String>) -> Self {
        Self { what: what.into(), text: text.into() }
    }
}

/// Folders of this machine. What is shipped names sources by `/cargo` and `/src` instead, as `build` sees to.
fn places(folders: &[Option<PathBuf>]) -> Vec<Banned> {
    let folders = folders.iter().flatten().map(|folder| format!("{}/", folder.display()));
    // a home that is the root of all is in every address
    let telling = folders.filter(|text| !["/", "//", "/cargo/", "/src/"].contains(&text.as_str()));
    telling.map(|text| Banned::new("a folder of this machine", text)).collect()
}

/// The secrets in a file of the form `NAME="value"`. What is shorter than any secret could stand anywhere.
fn local_secrets(name: &str, text: &str) -> Vec<Banned> {
    let pairs = text.lines().filter(|line| !line.trim_start().starts_with('#')).filter_map(|line| line.split_once('='));
    pairs
        .map(|(key, value)| (key.trim(), value.trim().trim_matches(['"', '\''])))
        .filter(|(key, value)| SECRETS.contains(key) && value.len() >= 8)
        .map(|(key, value)| Banned::new(format!("the value of {key} in {name}"), value))
        .collect()
}

/// The files in a folder, at any depth, by their paths within it.
fn files_of(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let cannot = || format!("cannot read {}", folder.display());
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            files.extend(files_of(&path)?.into_iter().map(|(within, bytes)| (format!("{name}/{within}"), bytes)));
        } else {
            files.insert(name, fs::read(&path).with_context(cannot)?);
        }
    }
    Ok(files)
}

/// What a product holds and must not: modules are searched like texts, since their strings stand in them as they are.
fn leaks(product: &str, files: &BTreeMap<String, Vec<u8>>, banned: &[Banned]) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, bytes) in files {
        let mut found = |what: &str| faults.push(format!("{product}: {name} holds {what}"));
        for Banned { what, text } in banned {
            if holds(bytes, text) {
                found(what);
            }
        }
        if holds_key(bytes) {
            found("what looks like a secret key");
        }
        if Path::new(name).extension().is_some_and(|extension| extension == "map") {
            found("a source map");
        }
    }
    if files.values().all(Vec::is_empty) {
        faults.push(format!("{product} is empty: is the check looking at the right thing?"));
    }
    faults
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Whether there is a key behind the `skey_` or `skey_test_` that one begins with: what knows keys holds those alone.
fn holds_key(bytes: &[u8]) -> bool {
    const START: &[u8] = b"skey_";

    bytes.windows(START.len()).enumerate().filter(|(_, window)| *window == START).any(|(at, _)| {
        let rest = bytes.get(at + START.len()..).unwrap_or_default();
        let rest = rest.strip_prefix(b"test_").unwrap_or(rest);
        rest.iter().take_while(|b| b.is_ascii_digit() || b.is_ascii_lowercase()).count() >= 8
    })
}

/// What the sandbox's npm package consists of.
const SANDBOX_FILES: [&str; 10] = [
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "build/index.js",
    "build/index_bg.wasm",
    "entry.js",
    "main.js",
    "package.json",
    "run.js",
    "worker.json",
];

/// Files in the list of a packed package that are none of its own.
fn strays(product: &str, packed: &str, files: &[&str]) -> Vec<String> {
    let ours = |path: &str| path.strip_prefix("package/").is_some_and(|name| files.contains(&name));
    let mut faults: Vec<_> = packed
        .lines()
        .filter(|path| !ours(path))
        .map(|path| format!("{product}: {path} is not one of its files"))
        .collect();
    if packed.is_empty() {
        faults.push(format!("{product} is empty: is the check looking at the right thing?"));
    }
    faults
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

/// The sandbox's npm package needs what it was tested with, to the last digit.
fn sandbox_dependencies(sandbox: &Value, workspace: &Value) -> Vec<String> {
    let ours = |name: &str| workspace.get("devDependencies").and_then(|packages| packages.get(name));
    let dependencies = sandbox.get("dependencies").and_then(Value::as_object);
    let mut faults: Vec<_> = dependencies
        .into_iter()
        .flatten()
        .filter(|(name, version)| ours(name) != Some(version))
        .map(|(name, version)| format!("{SANDBOX_MANIFEST}: {name} {version} is not that of package.json"))
        .collect();
    if dependencies.is_none_or(|dependencies| !dependencies.contains_key("miniflare")) {
        faults.push(format!("{SANDBOX_MANIFEST} does not depend on miniflare"));
    }
    faults
}

/// The lockfile was written for the package.json that is here. (`npm ci` would tell, but is not used: see `tools`.)
fn lockfile_age(package: &Value, lockfile: &Value) -> Option<String> {
    let same = KINDS.iter().all(|kind| package.get(kind) == lockfile.pointer(&format!("/packages//{kind}")));
    (!same).then(|| "package-lock.json is not that of package.json: run `npm install --ignore-scripts`".to_owned())
}

/// Documents of the project. Those of the npm packages speak of their readers' files.
fn is_document(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "md")
        && !["pkg-template/", "sandbox/npm/"].iter().any(|folder| name.starts_with(folder))
}

/// Files that a document names, between backticks or as the target of a link, and that are not there. `*` stands for any text.
fn missing_files(document: &str, text: &str, files: &[String]) -> Vec<String> {
    const KINDS: [&str; 9] = ["css", "html", "js", "json", "md", "rs", "sql", "toml", "ts"];
    // What commands write, and what a reader's own project has.
    const ELSEWHERE: [&str; 6] = ["target/", "build/", "node_modules/", ".wrangler/", "package.json", "env.json"];

    let is_path = |text: &str| {
        let kind = Path::new(text).extension().and_then(|kind| kind.to_str());
        kind.is_some_and(|kind| KINDS.contains(&kind))
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./*".contains(c))
            && !["/", ".."].iter().any(|start| text.starts_with(start))
            && !ELSEWHERE.iter().any(|elsewhere| text.contains(elsewhere))
    };
    let fits = |pattern: &str, file: &str| {
        let mut parts = pattern.split('*');
        let last = parts.next_back().unwrap_or_default();
        let mut rest = file;
        let middle = parts.all(|part| {
            let found = rest.find(part).and_then(|at| rest.get(at + part.len()..));
            rest = found.unwrap_or_default();
            found.is_some()
        });
        middle && rest.ends_with(last) && (pattern.contains('*') || rest == last || rest.ends_with(&format!("/{last}")))
    };
    let folder = Path::new(document).parent().unwrap_or(Path::new(""));
    let prose = text.split("```").step_by(2);
    let mut faults = Vec::new();
    for part in prose {
        let spans = part.split('`').skip(1).step_by(2).filter(|span| is_path(span));
        let missing = spans.filter(|span| !files.iter().any(|file| fits(span.trim_start_matches("./"), file)));
        faults.extend(missing.map(|span| format!("{document} names {span}, which is not there")));
        let targets = part.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        let targets = targets.filter(|target| !target.is_empty() && !target.contains(':'));
        let missing = targets.filter(|target| !root().join(folder).join(target).exists());
        faults.extend(missing.map(|target| format!("{document} links to {target}, which is not there")));
    }
    faults
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

    /// What is said of a product with this one file.
    fn leaks_of(name: &str, bytes: &[u8], banned: &[Banned]) -> Vec<String> {
        leaks("it", &BTreeMap::from([(name.to_owned(), bytes.to_vec())]), banned)
    }

    #[test]
    fn a_banned_text_is_found_in_any_bytes() {
        let banned = [Banned::new("a setting", "SESSION_SECRET"), Banned::new("a fault", "X-Fault")];
        assert_eq!(leaks_of("a.js", b"env.SESSION_SECRET", &banned), ["it: a.js holds a setting"]);
        assert_eq!(
            leaks_of("b.wasm", b"\0asm\xff\xfeX-FaultSESSION_SECRET", &banned),
            ["it: b.wasm holds a setting", "it: b.wasm holds a fault"]
        );
        assert_eq!(leaks_of("a.js", b"SESSION_SECRE X-Faul", &banned), Vec::<String>::new());
        assert_eq!(leaks_of("a.js.map", b"{}", &banned), ["it: a.js.map holds a source map"]);
        assert_eq!(leaks("it", &BTreeMap::new(), &banned).len(), 1, "no files prove nothing");
        assert_eq!(leaks_of("a.js", b"", &banned).len(), 1, "an empty file proves nothing");
    }

    #[test]
    fn a_key_is_told_from_what_knows_keys() {
        for key in ["test_5xuy4w91xqz7d1w9u0t", "5xuy4w91xqz7d1w9u0t", "test_12345678"] {
            let text = format!("\u{1}skey_skey_{key}\0");
            assert_eq!(leaks_of("a.wasm", text.as_bytes(), &[]), ["it: a.wasm holds what looks like a secret key"]);
        }
        for text in
            ["skey_test_pkey_skey_\0", "skey_test_… or skey_…", "skey_test_1234567", "skey_TEST_12345678", "skey_"]
        {
            assert_eq!(leaks_of("a.wasm", text.as_bytes(), &[]), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn secrets_of_this_machine_are_found_and_not_shown() {
        let text = "# OMISE_SECRET_KEY=commented-out\nOMISE_SECRET_KEY=\"canary-1\"\n SESSION_SECRET = 'canary=2' \n\
                    WEBHOOK_SECRET=short\nMODE=canary-3\n";
        let banned = local_secrets("worker/.dev.vars", text);
        assert_eq!(
            leaks_of("a.js", b"canary-1 canary=2 commented-out short canary-3", &banned),
            [
                "it: a.js holds the value of OMISE_SECRET_KEY in worker/.dev.vars",
                "it: a.js holds the value of SESSION_SECRET in worker/.dev.vars"
            ]
        );
    }

    #[test]
    fn folders_of_this_machine_are_found() {
        let banned = places(&["/home/me/shop", "/home/me", "/", "/src", "/cargo"].map(|folder| Some(folder.into())));
        assert_eq!(leaks_of("a.wasm", b"at /home/me/shop/src/lib.rs", &banned).len(), 2);
        assert_eq!(leaks_of("a.wasm", b"at /src/src/lib.rs and /cargo/x, https://x/", &banned), Vec::<String>::new());
    }

    #[test]
    fn files_are_found_at_any_depth() {
        let files = files_of(&root().join("docs")).unwrap();
        assert!(files["threat-model.md"].starts_with(b"# "));
        assert!(files.contains_key("bench/README.md"));
        assert!(files_of(&root().join("nowhere")).is_err());
    }

    #[test]
    fn a_stray_file_in_the_package_is_named() {
        let strays = |packed: &str| strays("it", packed, &["LICENSE-MIT", "build/index_bg.wasm", "index.js"]);
        let good = "package/LICENSE-MIT\npackage/build/index_bg.wasm\npackage/index.js\n";
        assert_eq!(strays(good), Vec::<String>::new());
        for stray in ["package/.dev.vars", "package/src/index.js", "index.js", "package/index.js.map"] {
            assert_eq!(strays(&format!("{good}{stray}\n")), [format!("it: {stray} is not one of its files")]);
        }
        assert_eq!(strays("").len(), 1, "an empty list proves nothing");
    }

    #[test]
    fn a_document_that_names_a_file_that_is_gone_is_noticed() {
        let files = ["worker/src/route.rs", "tests/attacks/trust.spec.ts", "docs/threat-model.md"].map(str::to_owned);
        let found = |text: &str| missing_files("docs/threat-model.md", text, &files);
        for there in [
            "`route.rs`, `worker/src/route.rs`, `tests/attacks/*.spec.ts` and `target/names/worker.txt`",
            "`cargo xtask test`, `a.b`, `Cargo`, [the model](threat-model.md), [a part](threat-model.md#a), [Omise](https://x.y/z)",
            "```sh\ncat `gone.rs`\n```",
        ] {
            assert_eq!(found(there), Vec::<String>::new(), "{there}");
        }
        for (text, gone) in
            [("`body.rs`", "body.rs"), ("`src/body.rs`", "src/body.rs"), ("`docs/*.spec.ts`", "docs/*.spec.ts")]
        {
            assert_eq!(found(text), [format!("docs/threat-model.md names {gone}, which is not there")]);
        }
        assert_eq!(found("[x](gone.md)"), ["docs/threat-model.md links to gone.md, which is not there"]);
    }

    #[test]
    fn another_miniflare_than_the_tested_one_is_named() {
        let workspace = json!({ "devDependencies": { "miniflare": "4.1.0" } });
        let found = |version| sandbox_dependencies(&json!({ "dependencies": { "miniflare": version } }), &workspace);
        assert_eq!(found("4.1.0"), Vec::<String>::new());
        for other in ["4.1.1", "^4.1.0"] {
            assert_eq!(
                found(other),
                [format!("sandbox/npm/package.json: miniflare \"{other}\" is not that of package.json")]
            );
        }
        assert_eq!(sandbox_dependencies(&json!({}), &workspace).len(), 1, "no dependencies prove nothing");
    }

    #[test]
    fn an_open_version_of_a_node_package_is_named() {
        let package = json!({ "devDependencies": { "wrangler": "^4.86.0", "esbuild": "0.28.2" } });
        assert_eq!(package_pins(&package), ["package.json: wrangler ^4.86.0 is not an exact version"]);
    }
}
