//! The tools that the other commands need: found, or installed into the project.
//!
//! Nothing is taken from the machine but rustup's cargo, Node with npm, and a browser; versions are pinned here or in the lockfiles.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::{
    cargo_target_dir, root,
    stamp::Stamp,
    step::{quietly, step},
};

const CARGO_DENY: &str = "0.20.2";

/// The oldest Node whose npm can install the rest.
const NODE_FOR_NPM: (u32, u32) = (20, 0);
/// The oldest Node that runs TypeScript files as they are.
const NODE_FOR_TYPESCRIPT: (u32, u32) = (22, 18);

/// How every browser of the tests is started. `--no-sandbox`: CI runs as root, where Chromium has none. The rest keeps it from
/// calling anybody but the pages under test.
pub(crate) const CHROMIUM_FLAGS: [&str; 8] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

const INSTALL_BROWSER: &str =
    "apt-get update && apt-get install -y --no-install-recommends chromium chromium-driver fonts-thai-tlwg";
const INSTALL_PYTHON: &str = "apt-get update && apt-get install -y --no-install-recommends python3-venv";
const INSTALL_CURL: &str = "apt-get update && apt-get install -y --no-install-recommends curl";

/// Cargo as it was called, so that a `+toolchain` is kept.
pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Makes sure that Rust can compile to WebAssembly.
pub(crate) fn wasm_target() -> Result<()> {
    let sysroot = quietly(Command::new("rustc").args(["--print", "sysroot"]))?;
    let target = Path::new(sysroot.trim()).join("lib/rustlib/wasm32-unknown-unknown");
    if target.is_dir() {
        return Ok(());
    }
    step("install the wasm32-unknown-unknown target", || {
        quietly(Command::new("rustup").args(["target", "add", "wasm32-unknown-unknown"]))
            .map(drop)
            .context("compiling to WebAssembly needs rustup's toolchain: install rustup, then run this again")
    })
}

/// The runner of `wasm_bindgen_test`: a crate of the workspace, so that its version is that of Cargo.lock.
pub(crate) fn js_runner() -> Result<PathBuf> {
    step("build js-runner", || quietly(cargo().args(["build", "--package", "js-runner"])))?;
    Ok(cargo_target_dir().join("debug/js-runner"))
}

/// What checks licences, sources and known vulnerabilities of the dependencies.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    cargo_install("cargo-deny", CARGO_DENY, "cargo-deny", &["--locked"])
}

/// The optimiser of WebAssembly: a Node script, so it is run with [`path_with_node`].
pub(crate) fn wasm_opt() -> Result<PathBuf> {
    node_program("wasm-opt")
}

/// The bundler of the Workers' JavaScript.
pub(crate) fn esbuild() -> Result<PathBuf> {
    node_packages()?;
    let file = root().join(format!("node_modules/@esbuild/{}-{}/bin/esbuild", node_os(), node_arch()?));
    existing(file, "npm install --no-save --ignore-scripts")
}

/// A program of a node package of the project.
pub(crate) fn node_program(name: &str) -> Result<PathBuf> {
    node_packages()?;
    existing(root().join("node_modules/.bin").join(name), "npm install --no-save --ignore-scripts")
}

/// The Node that runs everything written in JavaScript or TypeScript.
pub(crate) fn node() -> Result<PathBuf> {
    node_packages()?;
    let pinned = root().join(format!("node_modules/node-linux-{}/bin/node", node_arch()?));
    if pinned.is_file() {
        return Ok(pinned);
    }
    let (version, text) = system_node()?;
    if version < NODE_FOR_TYPESCRIPT {
        let (major, minor) = NODE_FOR_TYPESCRIPT;
        bail!("Node {text} cannot run TypeScript: install Node {major}.{minor} or newer");
    }
    find_on_path(&["node"]).context("`node` is not on PATH")
}

/// A command run by [`node`]. It is told to be silent about type stripping being experimental.
pub(crate) fn node_command() -> Result<Command> {
    let mut command = Command::new(node()?);
    command.env("PATH", path_with_node()?).arg("--disable-warning=ExperimentalWarning");
    Ok(command)
}

/// `PATH` with [`node`] in front, for Node scripts that are found by their first line.
pub(crate) fn path_with_node() -> Result<OsString> {
    let node = node()?;
    let folder = node.parent().context("node is in no folder")?.to_owned();
    let path = env::var_os("PATH").unwrap_or_default();
    env::join_paths(std::iter::once(folder).chain(env::split_paths(&path))).context("PATH holds an odd folder")
}

/// npm of the machine.
pub(crate) fn npm() -> Result<Command> {
    let (version, text) = system_node()?;
    if version < NODE_FOR_NPM {
        bail!("Node {text} is too old: install Node {} or newer, with npm", NODE_FOR_NPM.0);
    }
    find_on_path(&["npm"]).map(Command::new).context("`npm` is not on PATH: install Node 20 or newer, with npm")
}

/// Installs the node packages of package-lock.json, again when it changed.
pub(crate) fn node_packages() -> Result<()> {
    // Called at any time and by several threads: the first installs, the others wait for it.
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _installing = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let stamp = Stamp {
        // In the folder that it speaks of, so that it goes away with it.
        file: root().join("node_modules/.xtask-stamp"),
        inputs: vec![root().join("package-lock.json"), root().join(".npmrc")],
        ignored: vec![],
        versions: String::new(),
        outputs: vec![],
    };
    let before = stamp.before()?;
    if stamp.is_current(&before)? {
        return Ok(());
    }
    step("install node packages", || {
        // Not `npm ci`: it refuses a lockfile without the optional packages of other platforms, which npm leaves out where the
        // registry has none of them. This checks the same hashes, and with --no-save changes neither package.json nor the lockfile.
        quietly(npm()?.args(["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"]))?;
        stamp.write(&before)
    })
}

/// A browser and the driver that wasm-bindgen's tests control it with.
pub(crate) struct Browser {
    /// Chromium or Chrome.
    pub(crate) chromium: PathBuf,
    /// chromedriver.
    pub(crate) driver: PathBuf,
}

/// Finds the browser, or installs it where it may: as root on Debian.
pub(crate) fn browser() -> Result<Browser> {
    if let Some(browser) = find_browser() {
        return Ok(browser);
    }
    let advice = "no Chromium with its chromedriver was found: set CHROMIUM and CHROMEDRIVER to them, or run as root:";
    install_on_debian("chromium", INSTALL_BROWSER, advice)?;
    find_browser().with_context(|| format!("{advice}\n  {INSTALL_BROWSER}"))
}

/// Says in a command's environment which browser it is to use, and how.
pub(crate) fn in_browser(command: &mut Command) -> Result<()> {
    command.env("CHROMIUM", browser()?.chromium).env("CHROMIUM_FLAGS", CHROMIUM_FLAGS.join(" "));
    Ok(())
}

/// curl, which the Worker's documentation calls; installed like the browser.
pub(crate) fn curl() -> Result<PathBuf> {
    if let Some(curl) = find_on_path(&["curl"]) {
        return Ok(curl);
    }
    let advice = "curl was not found: run as root:";
    install_on_debian("curl", INSTALL_CURL, advice)?;
    find_on_path(&["curl"]).with_context(|| format!("{advice}\n  {INSTALL_CURL}"))
}

/// The fuzzer of HTTP APIs.
pub(crate) fn schemathesis() -> Result<PathBuf> {
    python_packages("schemathesis", "python", "tests/contract/requirements.txt", "bin/schemathesis")
}

/// A Python that has Omise's official client.
pub(crate) fn omise_python() -> Result<PathBuf> {
    python_packages("Omise's client for Python", "omise-python", "tests/sandbox/requirements.txt", "bin/python")
}

/// Installs packages into a virtual environment of the project's, again when what pins all of them, by hash, changed. Gives the
/// path of `program` in it.
fn python_packages(what: &str, folder: &str, requirements: &str, program: &str) -> Result<PathBuf> {
    let folder = root().join(".tools").join(folder);
    let file = folder.join(program);
    let requirements = root().join(requirements);
    let stamp = Stamp {
        // In the folder that it speaks of, so that it goes away with it.
        file: folder.join(".xtask-stamp"),
        inputs: vec![requirements.clone()],
        ignored: vec![],
        versions: String::new(),
        outputs: vec![file.clone()],
    };
    let before = stamp.before()?;
    if stamp.is_current(&before)? {
        return Ok(file);
    }
    let python = python()?;
    step(&format!("install {what}"), || {
        // The one that is there may be of a Python that is gone.
        quietly(Command::new(python).args(["-m", "venv", "--clear"]).arg(&folder))?;
        quietly(
            Command::new(folder.join("bin/pip"))
                .args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"])
                .arg("--requirement")
                .arg(requirements),
        )?;
        stamp.write(&before)
    })?;
    Ok(file)
}

/// A Python that can make virtual environments; installed like the browser.
fn python() -> Result<PathBuf> {
    let able = || {
        let python = find_on_path(&["python3"])?;
        quietly(Command::new(&python).args(["-c", "import ensurepip, venv"])).ok().map(|_| python)
    };
    if let Some(python) = able() {
        return Ok(python);
    }
    let advice = "no Python 3 with venv was found: run as root:";
    install_on_debian("python3-venv", INSTALL_PYTHON, advice)?;
    able().with_context(|| format!("{advice}\n  {INSTALL_PYTHON}"))
}

/// Installs from Debian's packages where that is possible; otherwise says which command would.
fn install_on_debian(what: &str, command: &str, advice: &str) -> Result<()> {
    let debian = Path::new("/etc/debian_version").exists();
    let superuser = fs::metadata("/proc/self").is_ok_and(|of_this_process| of_this_process.uid() == 0);
    if !(debian && superuser) {
        bail!("{advice}\n  {command}");
    }
    step(&format!("install {what}"), || {
        quietly(Command::new("sh").args(["-c", command]).env("DEBIAN_FRONTEND", "noninteractive"))
    })
    .map(drop)
}

fn find_browser() -> Option<Browser> {
    let named = |variable: &str, names: &[&str]| {
        env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from).or_else(|| find_on_path(names))
    };
    Some(Browser {
        chromium: named("CHROMIUM", &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"])?,
        driver: named("CHROMEDRIVER", &["chromedriver"])?,
    })
}

/// Installs a program from source into the project, unless that very version is there.
fn cargo_install(package: &str, version: &str, program: &str, flags: &[&str]) -> Result<PathBuf> {
    let folder = root().join(".tools/cargo");
    let file = folder.join("bin").join(program);
    let installed = quietly(Command::new(&file).arg("--version")).ok();
    if installed.as_deref().and_then(version_in) == Some(version) {
        return Ok(file);
    }
    step(&format!("install {package} {version} from source (minutes)"), || {
        let mut command = cargo();
        command.args(["install", package, "--version", &format!("={version}"), "--root"]);
        quietly(command.arg(&folder).args(flags))
    })?;
    Ok(file)
}

/// The version in the answer to `--version`, with or without the program's name before it.
fn version_in(text: &str) -> Option<&str> {
    text.lines().next()?.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
}

/// Version of the machine's Node, and as it says it.
fn system_node() -> Result<((u32, u32), String)> {
    let text = quietly(Command::new("node").arg("--version"))
        .map_err(|_| anyhow!("`node` is not on PATH: install Node {} or newer, with npm", NODE_FOR_NPM.0))?;
    let text = text.trim();
    let version = node_version(text).with_context(|| format!("`node --version` answered `{text}`"))?;
    Ok((version, text.to_owned()))
}

fn node_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.strip_prefix('v')?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The machine's architecture in Node's words.
fn node_arch() -> Result<&'static str> {
    match env::consts::ARCH {
        "x86_64" => Ok("x64"),
        "aarch64" => Ok("arm64"),
        other => bail!("there are no pinned tools for {other}: use x86_64 or aarch64"),
    }
}

/// The system in Node's words.
fn node_os() -> &'static str {
    if env::consts::OS == "macos" { "darwin" } else { env::consts::OS }
}

fn find_on_path(names: &[impl AsRef<OsStr>]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let folders: Vec<_> = env::split_paths(&path).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name.as_ref())))
        .find(|file| file.is_file())
}

fn existing(file: PathBuf, remedy: &str) -> Result<PathBuf> {
    if !file.exists() {
        bail!("{} is missing: run `{remedy}`", file.strip_prefix(root()).unwrap_or(&file).display());
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_with_and_without_a_name() {
        assert_eq!(version_in("cargo-deny 0.20.2\n"), Some("0.20.2"));
        assert_eq!(version_in("0.8.7\n"), Some("0.8.7"));
        assert_eq!(version_in("cargo-deny 0.20.2 (abc 2026-01-01)\n"), Some("0.20.2"));
        assert_eq!(version_in(""), None);
        assert_eq!(version_in("no version"), None);
    }

    #[test]
    fn node_versions_compare_as_numbers() {
        assert_eq!(node_version("v20.20.2"), Some((20, 20)));
        assert!(node_version("v22.9.0") < Some(NODE_FOR_TYPESCRIPT));
        assert!(node_version("v22.18.0") >= Some(NODE_FOR_TYPESCRIPT));
        assert!(node_version("v100.0.0") > Some(NODE_FOR_TYPESCRIPT));
        assert_eq!(node_version("command not found"), None);
    }
}
