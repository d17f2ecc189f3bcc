//! `cargo xtask build`: the Worker, the sandbox, the npm packages, and the storefront that installs one.
//!
//! Nothing is downloaded while building: worker-build would fetch its helpers unless it is told where they are.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use crate::{
    cargo_target_dir, root,
    stamp::{Stamp, hash_of},
    step::{quietly, step, unchanged},
    texts, tools,
};

/// The version that the npm packages get: that of the workspace.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What wasm-opt may use: what rustc and wasm-bindgen emit for this target, and no newer encoding that a runtime may not read yet.
const WASM_FEATURES: [&str; 7] = [
    "--enable-bulk-memory",
    "--enable-exception-handling",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// What wasm-opt does for the fewest bytes. The second run finds a little more. A large function that is called once would be put into
/// its caller: fewer bytes, but not so once compressed.
const SMALLEST: &[&str] = &["-Oz", "-Oz", "--one-caller-inline-max-function-size=30"];

/// What it does for time: a twentieth more requests a second than with [`SMALLEST`], for a twentieth more bytes.
const FASTEST: &[&str] = &["-O3"];

/// How much memory a Worker in Rust takes at most, in bytes. An isolate has 128 MB, and holds two instances while one that died is
/// not yet collected. Without a limit of its own, the instance would grow until the runtime ends the isolate.
const MAX_MEMORY: usize = 64 << 20;

/// Build the Worker, the sandbox, the npm packages, and install the one for shops in the storefront.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Build this one only, with what it needs
    #[arg(long)]
    only: Option<Product>,
}

/// What can be built.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Product {
    /// `worker/build/`
    Worker,
    /// `worker/build-fault/`: dies where a request asks for it; for the tests alone
    WorkerFault,
    /// `sandbox/build/`
    Sandbox,
    /// `target/npm/omise-linked-accounts-<version>.tgz`
    Package,
    /// `target/npm/omise-linked-accounts-sandbox-<version>.tgz`
    SandboxPackage,
    /// `examples/storefront/node_modules/`
    Storefront,
}

impl Product {
    /// Everything that is shipped or shown, in the order in which one needs the other.
    pub(crate) const ALL: [Self; 5] =
        [Self::Worker, Self::Sandbox, Self::Package, Self::SandboxPackage, Self::Storefront];
}

/// The command.
pub(crate) fn run(args: &Args) -> Result<()> {
    match args.only {
        Some(product) => build(&[product]),
        None => build(&Product::ALL),
    }
}

/// Builds what changed of the products.
pub(crate) fn build(products: &[Product]) -> Result<()> {
    // Two builds at once would write the same files.
    let _lock = lock()?;
    tools::wasm_target()?;
    for product in products {
        match product {
            Product::Worker => worker("worker", "build", &[])?,
            Product::WorkerFault => worker("worker", "build-fault", &["--features", "fault"])?,
            Product::Sandbox => worker("sandbox", "build", &[])?,
            Product::Package => package()?,
            Product::SandboxPackage => {
                if !products.contains(&Product::Sandbox) {
                    worker("sandbox", "build", &[])?;
                }
                sandbox_package()?;
            }
            Product::Storefront => {
                if !products.contains(&Product::Package) {
                    package()?;
                }
                storefront()?;
            }
        }
    }
    Ok(())
}

/// The packed npm package.
pub(crate) fn tarball() -> PathBuf {
    root().join(format!("target/npm/omise-linked-accounts-{VERSION}.tgz"))
}

/// The unpacked npm package.
pub(crate) fn package_folder() -> PathBuf {
    root().join("target/npm/package")
}

/// The packed npm package of the sandbox.
pub(crate) fn sandbox_tarball() -> PathBuf {
    root().join(format!("target/npm/omise-linked-accounts-sandbox-{VERSION}.tgz"))
}

/// The unpacked npm package of the sandbox.
pub(crate) fn sandbox_package_folder() -> PathBuf {
    root().join("target/npm/sandbox")
}

/// Declarations of the package's generated code, for `tsc` only.
fn types_folder() -> PathBuf {
    root().join("target/npm/types")
}

/// The lock goes with the file, whatever happens to this process.
fn lock() -> Result<File> {
    let folder = root().join("target/xtask");
    fs::create_dir_all(&folder).context("cannot create target/xtask")?;
    let file = File::create(folder.join("build.lock")).context("cannot create target/xtask/build.lock")?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => step("wait for another build", || Ok(file.lock()?))?,
        Err(TryLockError::Error(error)) => return Err(error).context("cannot lock target/xtask/build.lock"),
    }
    Ok(file)
}

/// A Worker in Rust, with arguments for cargo: `<folder>/<out>/index.js` and `index_bg.wasm`.
fn worker(folder: &str, out: &str, arguments: &[&str]) -> Result<()> {
    let what = format!("build {folder}/{out}");
    let crate_folder = root().join(folder);
    let build = crate_folder.join(out);
    let outputs = vec![build.join("index.js"), build.join("index_bg.wasm")];
    let stamp = Stamp {
        file: root().join("target/xtask").join(format!("{folder}-{out}")),
        inputs: inputs(&[folder, "src"]),
        ignored: [".dev.vars", ".wrangler", "build", "build-fault", "entry.js", "node_modules", "npm", "rescue.js"]
            .iter()
            .map(|name| crate_folder.join(name))
            // Compiled with the feature `js` only.
            .chain([root().join("src/js")])
            .collect(),
        versions: versions()?,
        outputs: outputs.clone(),
    };
    let before = stamp.before()?;
    if stamp.is_current(&before)? {
        unchanged(&what);
        return Ok(());
    }
    let worker_build = tools::worker_build()?;
    let (wasm_bindgen, esbuild) = (tools::wasm_bindgen()?, tools::esbuild()?);
    step(&what, || {
        stamp.clear()?;
        quietly(
            Command::new(worker_build)
                // Its wasm-opt would keep the names, a fifth of the bundle.
                .args([".", "--release", "--no-opt", "--out-dir", out])
                .args(arguments)
                .current_dir(&crate_folder)
                .env("PATH", tools::path_with_node()?)
                .env("WASM_BINDGEN_BIN", wasm_bindgen)
                .env("ESBUILD_BIN", esbuild)
                .env("CARGO_ENCODED_RUSTFLAGS", format!("{}\u{1f}-Clink-arg=--max-memory={MAX_MEMORY}", rustflags()?))
                // Compile errors are what matters, not where worker-build noticed them.
                .env("RUST_BACKTRACE", "0"),
        )?;
        // The edge pays for time, and a local server for nothing.
        let passes = if folder == "worker" { FASTEST } else { SMALLEST };
        optimise(&build.join("index_bg.wasm"), &names(folder), passes)?;
        for output in &outputs {
            not_empty(output)?;
        }
        stamp.write(&before)
    })
}

/// Which function a number in a stack trace of a shipped module is: a line `number:name` each. It is not shipped.
fn names(module: &str) -> PathBuf {
    root().join(format!("target/names/{module}.txt"))
}

/// The modules of the npm package: what each is called there, and the core's feature that it is compiled with.
pub(crate) const MODULES: [(&str, &str); 3] = [("client", "js"), ("validate", "validate"), ("webhook", "webhook")];

/// The npm package: `target/npm/package/`, packed as `target/npm/omise-linked-accounts-<version>.tgz`.
fn package() -> Result<()> {
    let stamp = Stamp {
        file: root().join("target/xtask/package"),
        inputs: inputs(&["src", "pkg-template", "xtask/src/texts.rs", "LICENSE-APACHE", "LICENSE-MIT"]),
        ignored: vec![],
        versions: versions()?,
        outputs: vec![tarball(), types_folder().join("wasm/client.d.ts")],
    };
    let before = stamp.before()?;
    if stamp.is_current(&before)? && package_folder().is_dir() {
        unchanged("build package");
        return Ok(());
    }
    step("build package", || {
        stamp.clear()?;
        let (folder, types) = (package_folder(), types_folder());
        for folder in [&folder, &types] {
            if folder.exists() {
                fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
            }
            fs::create_dir_all(folder.join("wasm")).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        for (name, feature) in MODULES {
            generate(name, feature, &folder.join("wasm"), &types.join("wasm"))?;
        }
        texts::write(&folder, &types)?;
        copy_folder(&root().join("pkg-template"), &folder)?;
        pack(&folder, &tarball())?;
        stamp.write(&before)
    })
}

/// The npm package of the sandbox: `target/npm/sandbox/`, packed as `target/npm/omise-linked-accounts-sandbox-<version>.tgz`.
fn sandbox_package() -> Result<()> {
    let (from, built) = (root().join("sandbox/npm"), root().join("sandbox/build"));
    let stamp = Stamp {
        file: root().join("target/xtask/sandbox-package"),
        inputs: inputs(&[
            "sandbox/build",
            "sandbox/migrations",
            "sandbox/npm",
            "sandbox/wrangler.toml",
            "harness/sandbox-package.ts",
            "harness/stack.ts",
            "LICENSE-APACHE",
            "LICENSE-MIT",
        ]),
        ignored: vec![],
        versions: versions()?,
        outputs: vec![sandbox_tarball()],
    };
    let before = stamp.before()?;
    if stamp.is_current(&before)? && sandbox_package_folder().is_dir() {
        unchanged("build sandbox package");
        return Ok(());
    }
    step("build sandbox package", || {
        stamp.clear()?;
        let folder = sandbox_package_folder();
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        for (from, name) in
            [(&from, "package.json"), (&from, "README.md"), (&built, "index.js"), (&built, "index_bg.wasm")]
        {
            fs::copy(from.join(name), folder.join(name)).with_context(|| format!("cannot copy {name}"))?;
        }
        quietly(
            Command::new(tools::esbuild()?)
                .arg(from.join("main.ts"))
                .args(["--bundle", "--platform=node", "--format=esm", "--target=node20", "--packages=external"])
                // what takes a while to load is in a file of its own
                .args(["--splitting", "--chunk-names=[name]", "--log-level=warning"])
                .arg(format!("--outdir={}", folder.display())),
        )?;
        for name in ["main.js", "run.js"] {
            not_empty(&folder.join(name))?;
        }
        quietly(
            tools::node_command()?.args(["harness/sandbox-package.ts", "sandbox/wrangler.toml"]).arg(folder.join("worker.json")),
        )?;
        pack(&folder, &sandbox_tarball())?;
        stamp.write(&before)
    })
}

/// Adds what every npm package has, and packs it.
fn pack(folder: &Path, tarball: &Path) -> Result<()> {
    for license in ["LICENSE-APACHE", "LICENSE-MIT"] {
        fs::copy(root().join(license), folder.join(license)).with_context(|| format!("cannot copy {license}"))?;
    }
    set_version(&folder.join("package.json"))?;
    quietly(
        tools::npm()?.args(["pack", "--silent", "--ignore-scripts", "--pack-destination", ".."]).current_dir(folder),
    )?;
    not_empty(tarball)
}

/// Compiles the core with a feature for JavaScript into a folder: module and glue; the glue's declarations go to another.
///
/// As for a bundler: glue that loads its module by itself weighs a kilobyte more, and `pkg-template/loading.js` does it better.
fn generate(name: &str, feature: &str, folder: &Path, types: &Path) -> Result<()> {
    // As workerd and bundlers that follow it import the file; wasm-bindgen declares what is within it.
    const MODULE: &str = "declare const module: WebAssembly.Module;\nexport default module;\n";
    // Entries that are evaluated twice, as development servers do, share their glue: it stays with the first instance, whose
    // memory it knows.
    const ASSIGN: &str = "wasm = val;";
    const SET: &str = "export function __wbg_set_wasm(exports: WebAssembly.Exports): void;\n";

    let wasm = compile_core(feature)?;
    let generated = root().join("target/xtask/glue");
    quietly(
        Command::new(tools::wasm_bindgen()?)
            // Every module calls its glue by this name.
            .args(["--target", "bundler", "--out-name", "glue", "--out-dir"])
            .args([&generated, &wasm]),
    )?;
    optimise(&generated.join("glue_bg.wasm"), &names(name), SMALLEST)?;
    let copy =
        |from: &str, to: PathBuf| fs::copy(generated.join(from), to).with_context(|| format!("cannot copy {from}"));
    copy("glue_bg.wasm", folder.join(format!("{name}_bg.wasm")))?;
    let glue = fs::read_to_string(generated.join("glue_bg.js")).context("cannot read glue_bg.js")?;
    if glue.matches(ASSIGN).count() != 1 {
        bail!("glue_bg.js must hold {ASSIGN} once");
    }
    fs::write(folder.join(format!("{name}.js")), glue.replace(ASSIGN, "wasm ??= val;"))
        .context("cannot write the glue")?;
    let declared = fs::read_to_string(generated.join("glue.d.ts")).context("cannot read glue.d.ts")?;
    fs::write(types.join(format!("{name}.d.ts")), declared + SET).context("cannot declare the glue")?;
    fs::write(types.join(format!("{name}_bg.d.wasm.ts")), MODULE).context("cannot declare the module")
}

/// Compiles the core with one of its JavaScript features.
///
/// In a target folder of its own: worker-build makes wasm-bindgen's macros write other code than plain cargo does, which cargo
/// does not see, so that a shared folder would make either build depend on which came first.
fn compile_core(feature: &str) -> Result<PathBuf> {
    // A form is judged at each keystroke: for speed, with as much put into its callers as the size budgets allow. Against `s` it takes
    // a fifth less time for 3 % more bytes; the threshold that is LLVM's own would take 8 %.
    const THRESHOLD: &str = "-Cllvm-args=--inline-threshold=110";
    let target = cargo_target_dir().join("package");
    let mut command = tools::cargo();
    command
        .args(["rustc", "--release", "--lib", "--crate-type", "cdylib", "--target", "wasm32-unknown-unknown"])
        .args(["--package", "omise-linked-accounts", "--features", feature, "--target-dir"])
        .arg(&target)
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3")
        .env("CARGO_ENCODED_RUSTFLAGS", [&rustflags()?, THRESHOLD].join("\u{1f}"));
    quietly(&mut command)?;
    Ok(target.join("wasm32-unknown-unknown/release/omise_linked_accounts.wasm"))
}

/// Optimises in place, through another file, so that an optimiser that does nothing is noticed. The names go to a file.
fn optimise(wasm: &Path, names: &Path, passes: &[&str]) -> Result<()> {
    let optimised = wasm.with_extension("optimised");
    fs::create_dir_all(names.parent().context("a file in no folder")?).context("cannot create target/names")?;
    quietly(
        Command::new(tools::wasm_opt()?)
            .env("PATH", tools::path_with_node()?)
            .args(WASM_FEATURES)
            .args(passes)
            // Alike functions that lie together compress better.
            .arg("--reorder-functions-by-name")
            .arg(format!("--symbolmap={}", names.display()))
            .args(["--strip-debug", "--strip-producers"])
            .arg(wasm)
            .arg("-o")
            .arg(&optimised),
    )?;
    not_empty(&optimised)?;
    fs::rename(&optimised, wasm).context("cannot replace the module by the optimised one")
}

/// Replaces the template's version, and nothing else of the file: the order of `exports` has a meaning.
fn set_version(package_json: &Path) -> Result<()> {
    const PLACEHOLDER: &str = "\"version\": \"0.0.0\"";
    let name = package_json.display();
    let text = fs::read_to_string(package_json).with_context(|| format!("cannot read {name}"))?;
    if text.matches(PLACEHOLDER).count() != 1 {
        bail!("{name} must hold {PLACEHOLDER} once");
    }
    let text = text.replace(PLACEHOLDER, &format!("\"version\": \"{VERSION}\""));
    fs::write(package_json, text).with_context(|| format!("cannot write {name}"))
}

/// Installs the packed package, not the source tree, in the storefront.
fn storefront() -> Result<()> {
    let folder = root().join("examples/storefront");
    let modules = folder.join("node_modules");
    let stamp = Stamp {
        file: modules.join(".xtask-stamp"),
        inputs: vec![tarball(), folder.join("package.json"), folder.join(".npmrc")],
        ignored: vec![],
        versions: String::new(),
        outputs: vec![modules.join("omise-linked-accounts/package.json")],
    };
    let before = stamp.before()?;
    if stamp.is_current(&before)? {
        unchanged("install storefront");
        return Ok(());
    }
    step("install storefront", || {
        // npm does not notice that a tarball of the same version has other contents.
        for stale in [modules.join("omise-linked-accounts"), modules.join(".package-lock.json")] {
            if stale.is_dir() {
                fs::remove_dir_all(&stale).with_context(|| format!("cannot remove {}", stale.display()))?;
            } else if stale.exists() {
                fs::remove_file(&stale).with_context(|| format!("cannot remove {}", stale.display()))?;
            }
        }
        quietly(tools::npm()?.args(["install", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder))?;
        stamp.write(&before)
    })
}

/// The named files and folders, and those that go into every product.
fn inputs(names: &[&str]) -> Vec<PathBuf> {
    names
        .iter()
        .chain(&["Cargo.toml", "Cargo.lock", ".cargo", "rust-toolchain.toml"])
        .map(|name| root().join(name))
        .collect()
}

/// Flags for what is shipped: panic messages name source files, and those of this machine are nobody's business.
fn rustflags() -> Result<String> {
    let home = home::cargo_home().context("cannot find cargo's home")?;
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    let given = std::env::var("RUSTFLAGS").unwrap_or_default();
    let given = given.split_whitespace().map(str::to_owned);
    // what cargo splits encoded flags at
    Ok(given.chain([remap(&home, "/cargo"), remap(root(), "/src")]).collect::<Vec<_>>().join("\u{1f}"))
}

/// The tools that go into every product; this file is one of them.
fn versions() -> Result<String> {
    let rustc = quietly(Command::new("rustc").arg("-vV"))?;
    let ours = hash_of(&[root().join("xtask/src/build.rs"), root().join("package-lock.json")], &[])?;
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    Ok(format!("{rustc}flags {flags}\nbuild {ours:016x}"))
}

fn not_empty(file: &Path) -> Result<()> {
    let name = file.strip_prefix(root()).unwrap_or(file).display();
    match fs::metadata(file) {
        Ok(metadata) if metadata.len() > 0 => Ok(()),
        Ok(_) => bail!("{name} came out empty"),
        Err(_) => bail!("{name} did not come out"),
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let from = entry?.path();
        let to = to.join(from.file_name().context("a file without a name")?);
        if from.is_dir() {
            copy_folder(&from, &to)?;
        } else {
            fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
        }
    }
    Ok(())
}
