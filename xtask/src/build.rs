//! `cargo xtask build`: the Worker, the sandbox, the npm packages, and the storefront that installs one.

use std::{
    fs::{self, File, TryLockError},
    io::ErrorKind,
    num::NonZeroU64,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use anyhow::{Context as _, Result, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::ValueEnum;
use sha2::{Digest as _, Sha256};

use crate::{
    root,
    stamp::{Stamp, files_in, hash_of},
    step::{quietly, step, unchanged},
    texts, tools,
    wasm::{Crate, FASTEST, Glue, Profile, SMALLEST, bind, not_empty, optimise},
};

/// The version that the npm packages get: that of the workspace.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How much memory a Worker in Rust takes at most, in bytes. An isolate has 128 MB, and holds two instances while one that died is
/// not yet collected. Without a limit of its own, the instance would grow until the runtime ends the isolate.
const MAX_MEMORY: usize = 64 << 20;

/// Build the Worker, the sandbox, the npm packages, and install the one for shops in the storefront.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Build this one only, with what it needs
    #[arg(long)]
    only: Option<Product>,
    /// Build for the loop of edit and try, as `dev` does: quick, not as shipped, into folders of their own
    #[arg(long)]
    dev: bool,
}

/// A thing to build. A development build goes to the same place with `-dev` behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
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
    /// `examples/storefront/node_modules/`, which has one place for both builds
    Storefront,
}

impl Product {
    /// Everything that is shipped or shown.
    pub(crate) const ALL: [Self; 5] =
        [Self::Worker, Self::Sandbox, Self::Package, Self::SandboxPackage, Self::Storefront];

    /// Everything that `cargo xtask dev` runs.
    pub(crate) const DEV: [Self; 4] = [Self::Worker, Self::Sandbox, Self::Package, Self::Storefront];

    /// The product that this one is made from.
    fn needs(self) -> Option<Self> {
        match self {
            Self::SandboxPackage => Some(Self::Sandbox),
            Self::Storefront => Some(Self::Package),
            Self::Worker | Self::WorkerFault | Self::Sandbox | Self::Package => None,
        }
    }

    /// Makes the product; `false` where nothing has changed since it was made.
    fn make(self, profile: Profile) -> Result<bool> {
        match self {
            Self::Worker => worker("worker", "build", &[], profile),
            Self::WorkerFault => worker("worker", "build-fault", &["fault"], profile),
            Self::Sandbox => worker("sandbox", "build", &[], profile),
            Self::Package => package(profile),
            Self::SandboxPackage => sandbox_package(profile),
            Self::Storefront => storefront(profile),
        }
    }
}

/// The command.
pub(crate) fn run(args: &Args) -> Result<()> {
    let profile = if args.dev { Profile::Dev } else { Profile::Release };
    let products = args.only.map_or_else(|| Product::ALL.to_vec(), |product| vec![product]);
    build(&products, profile).map(drop)
}

/// Builds the products that changed, with those that they need; returns which.
pub(crate) fn build(products: &[Product], profile: Profile) -> Result<Vec<Product>> {
    // Two builds at once would write the same files.
    let _lock = lock()?;
    tools::wasm_target()?;
    // Beside the compiler, which does not need them. Where this fails, the next step that does need them says so.
    thread::spawn(tools::node_packages);
    let mut all = Vec::new();
    for product in products.iter().flat_map(|product| product.needs().into_iter().chain([*product])) {
        if !all.contains(&product) {
            all.push(product);
        }
    }
    let mut made = Vec::new();
    for product in all {
        if product.make(profile)? {
            made.push(product);
        }
    }
    Ok(made)
}

/// A folder of builds: that of what is shipped, or beside it that of development builds.
fn folder_of(name: &str, profile: Profile) -> PathBuf {
    match profile {
        Profile::Dev => root().join(format!("{name}-dev")),
        Profile::Release => root().join(name),
    }
}

/// The packed npm package.
pub(crate) fn tarball(profile: Profile) -> PathBuf {
    folder_of("target/npm", profile).join(format!("omise-linked-accounts-{VERSION}.tgz"))
}

/// The unpacked npm package.
pub(crate) fn package_folder(profile: Profile) -> PathBuf {
    folder_of("target/npm", profile).join("package")
}

/// The packed npm package of the sandbox.
pub(crate) fn sandbox_tarball(profile: Profile) -> PathBuf {
    folder_of("target/npm", profile).join(format!("omise-linked-accounts-sandbox-{VERSION}.tgz"))
}

/// The unpacked npm package of the sandbox.
pub(crate) fn sandbox_package_folder(profile: Profile) -> PathBuf {
    folder_of("target/npm", profile).join("sandbox")
}

/// Declarations of the package's generated code, for `tsc` only.
fn types_folder(profile: Profile) -> PathBuf {
    folder_of("target/npm", profile).join("types")
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

/// A Worker in Rust, with features: `<folder>/<out>/index.js`, its declarations, and `index_bg.wasm`.
fn worker(folder: &str, out: &str, features: &[&str], profile: Profile) -> Result<bool> {
    const RESET: &str = "export function __wbg_reset_state(): void;\n";

    let build = folder_of(&format!("{folder}/{out}"), profile);
    let what = format!("build {}", build.strip_prefix(root()).unwrap_or(&build).display());
    let crate_folder = root().join(folder);
    let outputs = vec![build.join("index.js"), build.join("index_bg.wasm")];
    let stamp = Stamp {
        file: stamp_file(&format!("{folder}-{out}"), profile),
        inputs: inputs(&[&format!("{folder}/src"), &format!("{folder}/Cargo.toml"), "src"])
            .into_iter()
            // What the crate includes.
            .chain([crate_folder.join("platform.js"), crate_folder.join("openapi.json")])
            .collect(),
        // Compiled with the feature `js` only.
        ignored: vec![root().join("src/js")],
        versions: versions(profile)?,
        outputs: outputs.clone(),
    };
    let before = stamp.before()?;
    if stamp.is_current(&before)? {
        unchanged(&what);
        return Ok(false);
    }
    step(&what, || {
        stamp.clear()?;
        let module = Crate {
            package: &format!("omise-linked-accounts-{folder}"),
            features,
            profile,
            rustflags: &[],
            own_flags: &[format!("-Clink-arg=--max-memory={MAX_MEMORY}")],
            env: &[],
            apart: None,
        }
        .compile()?;
        let generated = root().join("target/xtask/glue").join(folder).join(out);
        bind(&module, "index", &generated, Glue::Worker)?;
        if profile == Profile::Release {
            // The edge pays for time, and a local server for nothing.
            let passes = if folder == "worker" { FASTEST } else { SMALLEST };
            optimise(&generated.join("index_bg.wasm"), &names(folder), passes)?;
        }
        fs::create_dir_all(&build).with_context(|| format!("cannot create {}", build.display()))?;
        copy(&generated.join("index_bg.wasm"), &build.join("index_bg.wasm"))?;
        quietly(
            Command::new(tools::esbuild()?)
                .arg(generated.join("index.js"))
                .args(["--bundle", "--format=esm", "--minify", "--log-level=warning"])
                .args(["--external:./index_bg.wasm", "--external:cloudflare:*"])
                .arg(format!("--outfile={}", build.join("index.js").display())),
        )?;
        // A source phase import, which workerd does not know; it gives the compiled module to a plain one.
        let bundle = read(&build.join("index.js"))?;
        fs::write(build.join("index.js"), once(&bundle, "import source ", "import ")?)
            .context("cannot write index.js")?;
        let declared = read(&generated.join("index.d.ts"))?;
        fs::write(build.join("index.d.ts"), declared + RESET).context("cannot write index.d.ts")?;
        for output in &outputs {
            not_empty(output)?;
        }
        stamp.write(&before)?;
        Ok(true)
    })
}

/// The text with the one place of `from` replaced: a tool that writes something else by now is noticed.
fn once(text: &str, from: &str, to: &str) -> Result<String> {
    if text.matches(from).count() != 1 {
        bail!("expected `{from}` once in what was generated");
    }
    Ok(text.replace(from, to))
}

/// Which function a number in a stack trace of a shipped module is: a line `number:name` each. It is not shipped.
fn names(module: &str) -> PathBuf {
    root().join(format!("target/names/{module}.txt"))
}

/// How a module's bytes are read from the JavaScript that they travel in; it stands in that JavaScript.
const INFLATE: &str = "pkg-template/inflate.js";

/// The modules of the npm package: what each is called there, and the core's feature that it is compiled with.
const MODULES: [(&str, &str); 3] = [("client", "js"), ("validate", "validate"), ("webhook", "webhook")];

/// The npm package: `target/npm/package/`, packed as `target/npm/omise-linked-accounts-<version>.tgz`.
fn package(profile: Profile) -> Result<bool> {
    let (folder, types) = (package_folder(profile), types_folder(profile));
    let modules = modules(profile)?;
    let stamp = Stamp {
        file: stamp_file("package", profile),
        inputs: inputs(&["src", "pkg-template", "xtask/src/texts.rs", "LICENSE-APACHE", "LICENSE-MIT"])
            .into_iter()
            .chain([modules.clone()])
            .collect(),
        ignored: vec![],
        versions: versions(profile)?,
        outputs: vec![tarball(profile), types.join("wasm/client.d.ts")],
    };
    let before = stamp.before()?;
    if stamp.is_current(&before)? && folder.is_dir() {
        unchanged("build package");
        return Ok(false);
    }
    step("build package", || {
        stamp.clear()?;
        for folder in [&folder, &types] {
            empty(folder)?;
        }
        copy_folder(&modules.join("types"), &types.join("wasm"))?;
        texts::write(&folder, &types)?;
        copy_folder(&root().join("pkg-template"), &folder)?;
        empty(&folder.join("inflate.js"))?;
        place_modules(&modules.join("wasm"), &folder)?;
        commonjs(&folder)?;
        pack(&folder, &tarball(profile))?;
        stamp.write(&before)?;
        Ok(true)
    })
}

/// Puts the modules into a folder of the package that is named by their content, and has all that names `wasm/` name that folder. A
/// server or a browser that keeps files for a year then never gives one module's glue with another module.
fn place_modules(modules: &Path, package: &Path) -> Result<()> {
    const PLACE: &str = "./wasm/";
    let name = format!("wasm-{}", content_hash(modules)?);
    copy_folder(modules, &package.join(&name))?;
    for file in files_in(&[package.to_owned()], &[])? {
        let is_text = file.extension().is_some_and(|extension| extension == "js" || extension == "json");
        if !is_text {
            continue;
        }
        let text = read(&file)?;
        if text.contains(PLACE) {
            fs::write(&file, text.replace(PLACE, &format!("./{name}/")))
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
    }
    Ok(())
}

/// The first eight hexadecimal digits of the SHA-256 of a folder's files: the same on every machine.
fn content_hash(folder: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    for file in files_in(&[folder.to_owned()], &[])? {
        hash.update(fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?);
    }
    let [a, b, c, d, ..]: [u8; 32] = hash.finalize().into();
    Ok(format!("{:08x}", u32::from_be_bytes([a, b, c, d])))
}

/// The package as `CommonJS`, in `cjs/`: each file by itself, for `require()` in runtimes that cannot require a module, such as Jest.
fn commonjs(package: &Path) -> Result<()> {
    let is = |file: &Path, end: &str| file.to_string_lossy().ends_with(end);
    let folder = package.join("cjs");
    fs::create_dir_all(&folder).context("cannot create cjs/")?;
    // esbuild, Node and TypeScript take a file for what the nearest package.json says that it is.
    fs::write(folder.join("package.json"), "{ \"type\": \"commonjs\" }\n").context("cannot write cjs/package.json")?;
    let mut scripts = Vec::new();
    for file in files_in(&[package.to_owned()], &[])? {
        let copied = folder.join(file.strip_prefix(package)?);
        if is(&file, ".d.ts") || (is(&file, ".js") && !is(&file, ".workerd.js")) {
            fs::create_dir_all(copied.parent().context("a file in no folder")?).context("cannot create a folder")?;
            copy(&file, &copied)?;
            scripts.extend(is(&copied, ".js").then_some(copied));
        }
    }
    quietly(
        Command::new(tools::esbuild()?)
            .args(scripts)
            // `import()` becomes `require()` too: Jest has no other.
            .args(["--format=cjs", "--platform=node", "--supported:dynamic-import=false", "--log-level=warning"])
            .args(["--allow-overwrite", &format!("--outdir={}", folder.display())]),
    )
    .map(drop)
}

/// The WebAssembly of the npm package, with its glue in `wasm/` and the glue's declarations in `types/`; returns the folder.
fn modules(profile: Profile) -> Result<PathBuf> {
    let folder = folder_of("target/xtask/modules", profile);
    let (wasm, types) = (folder.join("wasm"), folder.join("types"));
    let stamp = Stamp {
        file: stamp_file("modules", profile),
        inputs: inputs(&["src", INFLATE]),
        ignored: vec![],
        versions: versions(profile)?,
        outputs: MODULES.iter().map(|(name, _)| wasm.join(format!("{name}_bg.wasm"))).collect(),
    };
    let before = stamp.before()?;
    if !stamp.is_current(&before)? {
        step("build modules of the package", || {
            stamp.clear()?;
            for folder in [&wasm, &types] {
                fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
            }
            for (name, feature) in MODULES {
                generate(name, feature, profile, &wasm, &types)?;
            }
            stamp.write(&before)
        })?;
    }
    Ok(folder)
}

/// The npm package of the sandbox: `target/npm/sandbox/`, packed as `target/npm/omise-linked-accounts-sandbox-<version>.tgz`.
fn sandbox_package(profile: Profile) -> Result<bool> {
    let from = root().join("sandbox/npm");
    let built = folder_of("sandbox/build", profile);
    let folder = sandbox_package_folder(profile);
    let stamp = Stamp {
        file: stamp_file("sandbox-package", profile),
        inputs: inputs(&[
            "sandbox/entry.js",
            "sandbox/migrations",
            "sandbox/npm",
            "sandbox/wrangler.toml",
            "harness/sandbox-package.ts",
            "harness/stack.ts",
            "LICENSE-APACHE",
            "LICENSE-MIT",
        ])
        .into_iter()
        .chain([built.clone()])
        .collect(),
        ignored: vec![],
        versions: versions(profile)?,
        outputs: vec![sandbox_tarball(profile)],
    };
    let before = stamp.before()?;
    if stamp.is_current(&before)? && folder.is_dir() {
        unchanged("build sandbox package");
        return Ok(false);
    }
    step("build sandbox package", || {
        stamp.clear()?;
        empty(&folder)?;
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        for name in ["package.json", "README.md"] {
            copy(&from.join(name), &folder.join(name))?;
        }
        copy(&root().join("sandbox/entry.js"), &folder.join("entry.js"))?;
        fs::create_dir_all(folder.join("build")).context("cannot create build/")?;
        for name in ["index.js", "index_bg.wasm"] {
            copy(&built.join(name), &folder.join("build").join(name))?;
        }
        quietly(
            Command::new(tools::esbuild()?)
                .arg(from.join("main.ts"))
                .args(["--bundle", "--platform=node", "--format=esm", "--target=node20", "--packages=external"])
                // What takes a while to load is in a file of its own.
                .args(["--splitting", "--chunk-names=[name]", "--log-level=warning"])
                .arg(format!("--outdir={}", folder.display())),
        )?;
        for name in ["main.js", "run.js"] {
            not_empty(&folder.join(name))?;
        }
        quietly(
            tools::node_command()?
                .args(["harness/sandbox-package.ts", "sandbox/wrangler.toml"])
                .arg(folder.join("worker.json")),
        )?;
        pack(&folder, &sandbox_tarball(profile))?;
        stamp.write(&before)?;
        Ok(true)
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
fn generate(name: &str, feature: &str, profile: Profile, folder: &Path, types: &Path) -> Result<()> {
    // As workerd and bundlers that follow it import the file; wasm-bindgen declares what is within it.
    const MODULE: &str = "declare const module: WebAssembly.Module;\nexport default module;\n";
    const BYTES: &str = "export function bytes(): Promise<BufferSource>;\n";
    const SET: &str = "export function __wbg_set_wasm(exports: WebAssembly.Exports): void;\n";
    // A form is judged at each keystroke: for speed, with as much put into its callers as the size budgets allow. Against `s` it takes
    // a fifth less time for 3 % more bytes; the threshold that is LLVM's own would take 8 %.
    const THRESHOLD: &str = "-Cllvm-args=--inline-threshold=110";

    let module = Crate {
        package: "omise-linked-accounts",
        features: &[feature],
        profile,
        rustflags: &[THRESHOLD],
        own_flags: &[],
        env: &[("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3")],
        apart: (profile == Profile::Release).then_some("package"),
    }
    .compile()?;
    let generated = root().join("target/xtask/glue").join(name);
    // Every module calls its glue by this name.
    bind(&module, "glue", &generated, Glue::Bundler)?;
    if profile == Profile::Release {
        optimise(&generated.join("glue_bg.wasm"), &names(name), SMALLEST)?;
    }
    let file = folder.join(format!("{name}_bg.wasm"));
    copy(&generated.join("glue_bg.wasm"), &file)?;
    fs::write(folder.join(format!("{name}-bytes.js")), inside_javascript(&file, profile)?)
        .context("cannot write the module inside JavaScript")?;
    let glue = read(&generated.join("glue_bg.js"))?;
    // Entries that are evaluated twice, as development servers do, share their glue: it stays with the first instance, whose
    // memory it knows.
    fs::write(folder.join(format!("{name}.js")), once(&glue, "wasm = val;", "wasm ??= val;")?)
        .context("cannot write the glue")?;
    let declared = read(&generated.join("glue.d.ts"))?;
    fs::write(types.join(format!("{name}.d.ts")), declared + SET).context("cannot declare the glue")?;
    fs::write(types.join(format!("{name}_bg.d.wasm?module.ts")), MODULE).context("cannot declare the module")?;
    fs::write(types.join(format!("{name}-bytes.d.ts")), BYTES).context("cannot declare the module's bytes")
}

/// A module as JavaScript that gives its bytes: they are in it as zlib compresses them, in Base64.
///
/// zopfli makes a twentieth less of them than zlib itself, and any inflater reads them.
fn inside_javascript(module: &Path, profile: Profile) -> Result<String> {
    let iterations = match profile {
        Profile::Dev => NonZeroU64::MIN,
        Profile::Release => NonZeroU64::new(15).context("no number")?,
    };
    let options = zopfli::Options { iteration_count: iterations, ..zopfli::Options::default() };
    let bytes = fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
    let mut compressed = Vec::new();
    zopfli::compress(options, zopfli::Format::Zlib, bytes.as_slice(), &mut compressed)
        .context("cannot compress the module")?;
    let inflate = once(&read(&root().join(INFLATE))?, "export async function inflate", "async function inflate")?;
    Ok(format!("{inflate}\nexport const bytes = () => inflate(\"{}\");\n", STANDARD.encode(compressed)))
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
fn storefront(profile: Profile) -> Result<bool> {
    let folder = root().join("examples/storefront");
    let modules = folder.join("node_modules");
    let stamp = Stamp {
        file: modules.join(".xtask-stamp"),
        inputs: vec![tarball(profile), folder.join("package.json"), folder.join(".npmrc")],
        ignored: vec![],
        versions: profile.name().to_owned(),
        outputs: vec![modules.join("omise-linked-accounts/package.json")],
    };
    let before = stamp.before()?;
    if stamp.is_current(&before)? {
        unchanged("install storefront");
        return Ok(false);
    }
    step("install storefront", || {
        // npm does not notice that a tarball of the same version has other contents.
        for stale in [modules.join("omise-linked-accounts"), modules.join(".package-lock.json")] {
            empty(&stale)?;
        }
        quietly(
            tools::npm()?
                .args(["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"])
                .arg(tarball(profile))
                .current_dir(&folder),
        )?;
        stamp.write(&before)?;
        Ok(true)
    })
}

/// Removes a file or a folder with all that is in it, if it is there.
fn empty(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// The stamp of a product.
fn stamp_file(name: &str, profile: Profile) -> PathBuf {
    root().join("target/xtask").join(format!("{name}-{}", profile.name()))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(drop).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

/// The named files and folders, and those that go into every product.
fn inputs(names: &[&str]) -> Vec<PathBuf> {
    names
        .iter()
        .chain(&["Cargo.toml", "Cargo.lock", ".cargo", "rust-toolchain.toml"])
        .map(|name| root().join(name))
        .collect()
}

/// The tools that go into every product, and how they are used; the code that uses them is a part of it.
fn versions(profile: Profile) -> Result<String> {
    let rustc = quietly(Command::new("rustc").arg("-vV"))?;
    let ours = ["xtask/src/build.rs", "xtask/src/wasm.rs", "package-lock.json"].map(|name| root().join(name));
    let ours = hash_of(&ours, &[])?;
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    Ok(format!("{rustc}flags {flags}\nprofile {}\nbuild {ours:016x}", profile.name()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_placed_by_their_content() {
        let folder = std::env::temp_dir().join(format!("xtask-build-{}", std::process::id()));
        let (modules, package) = (folder.join("modules"), folder.join("package"));
        let mut names = Vec::new();
        for content in ["one", "one", "two"] {
            empty(&folder).unwrap();
            for folder in [&modules, &package] {
                fs::create_dir_all(folder).unwrap();
            }
            fs::write(modules.join("client.js"), content).unwrap();
            fs::write(package.join("index.js"), "import(\"./wasm/client.js\"); import(\"./wasm/client.js\")").unwrap();
            fs::write(package.join("wasm.d.ts"), "./wasm/").unwrap();
            place_modules(&modules, &package).unwrap();
            let entry = fs::read_to_string(package.join("index.js")).unwrap();
            let (name, _) = entry.trim_start_matches("import(\"./").split_once('/').unwrap();
            assert_eq!(entry, format!("import(\"./{name}/client.js\"); import(\"./{name}/client.js\")"));
            assert_eq!(fs::read_to_string(package.join(name).join("client.js")).unwrap(), content);
            assert_eq!(fs::read_to_string(package.join("wasm.d.ts")).unwrap(), "./wasm/");
            names.push(name.to_owned());
        }
        empty(&folder).unwrap();
        assert_eq!(names[0], names[1]);
        assert_ne!(names[0], names[2]);
    }
}
