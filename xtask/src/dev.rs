//! `cargo xtask dev`: everything on this machine, until Ctrl-C.
//!
//! `harness/dev.ts` runs the parts. It stops when its standard input closes, which the system does even if this process is killed; and it
//! has a process group of its own, so that whatever is left of it can be ended when it is gone.

use std::{
    fs,
    io::ErrorKind,
    net::{Ipv4Addr, TcpListener},
    os::unix::process::CommandExt as _,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::{
    build::{self, Product},
    root, secrets, tools,
};

const PARTS: [&str; 3] = ["worker", "sandbox", "storefront"];

/// Build what changed, start everything on this machine and print the URL to open.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Port of the Worker; sandbox and storefront get the two after it
    #[arg(long, value_name = "N", default_value_t = 8787, value_parser = clap::value_parser!(u16).range(1..=65_533))]
    port_base: u16,
}

/// The command.
pub(crate) fn run(args: &Args) -> Result<()> {
    // Before the build, which may take minutes.
    check_ports(args.port_base)?;
    secrets::ensure()?;
    build::build(&Product::ALL)?;
    check_ports(args.port_base)?;

    let mut child = tools::node_command()?
        .args(["harness/dev.ts", "--port-base", &args.port_base.to_string()])
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

    let status = child.wait();
    end_group(child.id());
    // It removes this itself unless it was killed.
    let _ = fs::remove_file(root().join("target/dev/env.json"));
    let status = status.context("cannot wait for harness/dev.ts")?;
    if !status.success() && !stopped.load(Ordering::SeqCst) {
        bail!("the development stack stopped ({status})");
    }
    Ok(())
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
