//! WebAssembly modules: compiles a crate, generates its JavaScript glue, and optimises the module.
//!
//! wasm-bindgen is used as a library, locked in Cargo.lock: its version cannot drift from that of the crate, with which it shares a
//! format that changes with every release.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

use crate::{cargo_target_dir, root, step::quietly, tools};

const TARGET: &str = "wasm32-unknown-unknown";

/// Features that wasm-opt may use: those that rustc and wasm-bindgen emit for this target, and no newer encoding that a runtime may not
/// read yet.
const FEATURES: [&str; 7] = [
    "--enable-bulk-memory",
    "--enable-exception-handling",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// Passes of wasm-opt for the fewest bytes. The second run finds a little more. A large function that is called once would be put into
/// its caller: fewer bytes, but not so once compressed.
pub(crate) const SMALLEST: &[&str] = &["-Oz", "-Oz", "--one-caller-inline-max-function-size=30"];

/// Passes of wasm-opt for speed: a twentieth more requests a second than with [`SMALLEST`], for a twentieth more bytes.
pub(crate) const FASTEST: &[&str] = &["-O3"];

/// How modules are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quick to build: no LTO, no wasm-opt, symbol names kept.
    Dev,
    /// As shipped.
    Release,
}

impl Profile {
    /// The profile's name in Cargo.toml, which is also the folder that cargo compiles into.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Dev => "wasm-dev",
            Self::Release => "release",
        }
    }
}

/// A crate to compile, and how.
pub(crate) struct Crate<'a> {
    pub(crate) package: &'a str,
    /// Cargo features.
    pub(crate) features: &'a [&'a str],
    pub(crate) profile: Profile,
    /// Flags for every crate of a release build.
    pub(crate) rustflags: &'a [&'a str],
    /// Flags for this crate alone.
    pub(crate) own_flags: &'a [String],
    /// Settings of the release profile, as environment variables of cargo's.
    pub(crate) env: &'a [(&'a str, &'a str)],
    /// A folder below cargo's target folder, for flags that no other build has. Flags are part of what cargo compares: in a shared
    /// folder each build would throw the other's dependencies away.
    pub(crate) apart: Option<&'a str>,
}

impl Crate<'_> {
    /// Compiles the crate's library; returns the path of the module.
    pub(crate) fn compile(&self) -> Result<PathBuf> {
        let target = self.apart.map_or_else(cargo_target_dir, |folder| cargo_target_dir().join(folder));
        let mut command = tools::cargo();
        command
            .args(["rustc", "--lib", "--crate-type", "cdylib", "--target", TARGET, "--package", self.package])
            .args(["--profile", self.profile.name(), "--target-dir"])
            .arg(&target);
        if !self.features.is_empty() {
            command.args(["--features", &self.features.join(",")]);
        }
        let mut flags = rustflags()?;
        if self.profile == Profile::Release {
            flags.extend(self.rustflags.iter().map(ToString::to_string));
            command.envs(self.env.iter().copied());
        }
        command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
        command.arg("--").args(self.own_flags);
        quietly(&mut command)?;
        let name = format!("{}.wasm", self.package.replace('-', "_"));
        Ok(target.join(TARGET).join(self.profile.name()).join(name))
    }
}

/// Flags for every crate: panic messages name source files, and the folders of this machine are not to be shipped.
fn rustflags() -> Result<Vec<String>> {
    let home = home::cargo_home().context("cannot find cargo's home")?;
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    let given = std::env::var("RUSTFLAGS").unwrap_or_default();
    let given = given.split_whitespace().map(str::to_owned);
    Ok(given.chain([remap(&home, "/cargo"), remap(root(), "/src")]).collect())
}

/// The form of the glue.
#[derive(Clone, Copy)]
pub(crate) enum Glue {
    /// Imports its module as bundlers do, and leaves loading to others.
    Bundler,
    /// Instantiates its module on import, and can make a new instance in the place of one that died.
    Worker,
}

/// Generates glue and module into a folder: `<name>.js`, `<name>.d.ts`, `<name>_bg.wasm`, and what else belongs to the form.
pub(crate) fn bind(module: &Path, name: &str, folder: &Path, glue: Glue) -> Result<()> {
    let mut bindgen = Bindgen::new();
    bindgen.input_path(module).out_name(name).typescript(true);
    match glue {
        Glue::Bundler => bindgen.bundler(true)?,
        Glue::Worker => bindgen.module(true)?.reset_state_function(true).force_enable_abort_handler(true),
    };
    bindgen.generate(folder).with_context(|| format!("wasm-bindgen cannot read {}", module.display()))
}

/// Optimises a module in place, through another file, so that an optimiser that does nothing is noticed. The names of functions go to
/// `names`, a line `number:name` each, for stack traces of a shipped module; that file is not shipped.
pub(crate) fn optimise(module: &Path, names: &Path, passes: &[&str]) -> Result<()> {
    let optimised = module.with_extension("optimised");
    fs::create_dir_all(names.parent().context("a file in no folder")?).context("cannot create target/names")?;
    quietly(
        Command::new(tools::wasm_opt()?)
            .env("PATH", tools::path_with_node()?)
            .args(FEATURES)
            .args(passes)
            // Alike functions that lie together compress better.
            .arg("--reorder-functions-by-name")
            .arg(format!("--symbolmap={}", names.display()))
            .args(["--strip-debug", "--strip-producers"])
            .arg(module)
            .arg("-o")
            .arg(&optimised),
    )?;
    not_empty(&optimised)?;
    fs::rename(&optimised, module).context("cannot replace the module by the optimised one")
}

/// Fails where a file that should have been written is missing or empty.
pub(crate) fn not_empty(file: &Path) -> Result<()> {
    let name = file.strip_prefix(root()).unwrap_or(file).display();
    match fs::metadata(file) {
        Ok(metadata) if metadata.len() > 0 => Ok(()),
        Ok(_) => bail!("{name} came out empty"),
        Err(_) => bail!("{name} did not come out"),
    }
}
