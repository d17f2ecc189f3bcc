//! `cargo xtask dev`: everything on this machine, until Ctrl-C.
//!
//! `harness/dev.ts` runs the parts. It stops when its standard input closes, which the system does even if this process is killed; and it
//! has a process group of its own, so that what is left of it can be ended when it is gone. With `--watch`, each line that it reads
//! names a part that was built again.

use std::{
    collections::BTreeMap,
    fs,
    io::{ErrorKind, Write as _},
    net::{Ipv4Addr, TcpListener},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::{
    build::{self, Product},
    root, secrets,
    step::{self, Watch},
    tools,
    wasm::Profile,
};

const PARTS: [&str; 3] = ["worker", "sandbox", "storefront"];

/// Files and folders of the project that are watched.
const WATCHED: [&str; 6] = ["Cargo.toml", "examples/storefront", "pkg-template", "sandbox", "src", "worker"];

/// Folders in them that are not: what builds and tools write.
const WRITTEN: [&str; 6] = ["build", "build-dev", "build-fault", "build-fault-dev", "node_modules", ".wrangler"];

/// How often the watched files are looked at. Two hundred files take about a millisecond.
const LOOK: Duration = Duration::from_millis(200);

/// Build what changed, start everything on this machine and print the URL to open.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Port of the Worker; sandbox and storefront get the two after it
    #[arg(long, value_name = "N", default_value_t = 8787, value_parser = clap::value_parser!(u16).range(1..=65_533))]
    port_base: u16,
    /// Build again what changes while it runs, and start that part again
    #[arg(long)]
    watch: bool,
}

/// The command.
pub(crate) fn run(args: &Args) -> Result<()> {
    let watch = Watch::start();
    // Before the build, which may take minutes.
    check_ports(args.port_base)?;
    secrets::ensure()?;
    build::build(&Product::DEV, Profile::Dev)?;
    check_ports(args.port_base)?;

    let seen = changes();
    let mut child = tools::node_command()?
        .args(["harness/dev.ts", "--port-base", &args.port_base.to_string()])
        .args(["--steps", &report(&watch)?])
        .env("BUILD_PROFILE", Profile::Dev.name())
        .stdin(Stdio::piped())
        .process_group(0)
        .spawn()
        .context("cannot run harness/dev.ts")?;
    let stdin = Arc::new(Mutex::new(child.stdin.take()));
    let stopped = Arc::new(AtomicBool::new(false));
    let (on_signal, was_stopped) = (Arc::clone(&stdin), Arc::clone(&stopped));
    ctrlc::set_handler(move || {
        was_stopped.store(true, Ordering::SeqCst);
        drop(on_signal.lock().unwrap_or_else(PoisonError::into_inner).take());
    })
    .context("cannot listen for Ctrl-C")?;

    let status = if args.watch { build_again(&mut child, &stdin, seen) } else { child.wait() };
    end_group(child.id());
    let status = status.context("cannot wait for harness/dev.ts")?;
    // It removes this itself unless it was killed. Where it refused to start, the file is another stack's.
    if status.code().is_none() {
        let _ = fs::remove_file(root().join("target/dev/env.json"));
    }
    if !status.success() && !stopped.load(Ordering::SeqCst) {
        bail!("the development stack stopped ({status})");
    }
    Ok(())
}

/// The steps so far and their seconds, as JSON: the child prints them below the URL, where they can be read.
fn report(watch: &Watch) -> Result<String> {
    let total = watch.elapsed();
    let steps: Vec<_> = step::done().into_iter().map(|(what, time)| (what, time.as_secs_f64())).collect();
    serde_json::to_string(&serde_json::json!({ "steps": steps, "seconds": total.as_secs_f64() }))
        .context("cannot write the steps")
}

/// Builds what changes, and tells the child, until that ends.
#[allow(clippy::disallowed_methods, reason = "xtask runs natively, where threads sleep")]
fn build_again(
    child: &mut Child,
    stdin: &Mutex<Option<ChildStdin>>,
    mut seen: BTreeMap<PathBuf, SystemTime>,
) -> std::io::Result<std::process::ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        thread::sleep(LOOK);
        let now = changes();
        if now == seen {
            continue;
        }
        seen = now;
        let watch = Watch::start();
        match build::build(&Product::DEV, Profile::Dev) {
            Ok(made) => {
                let mut parts: Vec<_> = made.iter().filter_map(|product| part(*product)).collect();
                // Its own files need no build.
                if !parts.contains(&"storefront") {
                    parts.push("storefront");
                }
                if let Some(stdin) = stdin.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
                    for part in &parts {
                        // A child that is gone is noticed above.
                        let _ = writeln!(stdin, "{part}");
                    }
                }
                eprintln!("  built again in {:.1} s: {}", watch.elapsed().as_secs_f64(), parts.join(", "));
            }
            Err(error) => eprintln!("{error:#}\n  the parts that run are as they were"),
        }
    }
}

/// The part that is made of a product.
fn part(product: Product) -> Option<&'static str> {
    match product {
        Product::Worker => Some("worker"),
        Product::Sandbox => Some("sandbox"),
        Product::Storefront => Some("storefront"),
        Product::WorkerFault | Product::Package | Product::SandboxPackage => None,
    }
}

/// The watched files, each with the time of its last change. One that goes away while it is looked at is not there.
fn changes() -> BTreeMap<PathBuf, SystemTime> {
    fn look(path: &Path, files: &mut BTreeMap<PathBuf, SystemTime>) {
        if path.file_name().and_then(|name| name.to_str()).is_some_and(|name| WRITTEN.contains(&name)) {
            return;
        }
        if let Ok(entries) = fs::read_dir(path) {
            for entry in entries.flatten() {
                look(&entry.path(), files);
            }
        } else if let Ok(time) = fs::metadata(path).and_then(|metadata| metadata.modified()) {
            files.insert(path.to_owned(), time);
        }
    }

    let mut files = BTreeMap::new();
    for name in WATCHED {
        look(&root().join(name), &mut files);
    }
    files
}

/// Ends what is left of a process group, if anything is.
fn end_group(id: u32) {
    let _ = Command::new("sh").args(["-c", &format!("kill -KILL -{id}")]).stderr(Stdio::null()).status();
}

/// A port is free if it can be listened on, and no other check is as good.
fn check_ports(base: u16) -> Result<()> {
    for (part, port) in PARTS.iter().zip(base..) {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::AddrInUse => return Err(anyhow!(taken(port, part))),
            Err(error) => return Err(error).with_context(|| format!("port {port} ({part}) cannot be used")),
        }
    }
    Ok(())
}

fn taken(port: u16, who: &str) -> String {
    format!("port {port} ({who}) is taken; free it or choose others with --port-base N (uses N, N+1, N+2)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_the_flag_that_moves_it() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = held.local_addr().unwrap().port();
        let error = check_ports(port - 1).unwrap_err().to_string();
        // The port before it may be taken too, by anybody.
        if !error.contains("(worker)") {
            assert_eq!(
                error,
                format!(
                    "port {port} (sandbox) is taken; free it or choose others with --port-base N (uses N, N+1, N+2)"
                )
            );
        }
    }
}
