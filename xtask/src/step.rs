//! Steps that take a while: what is being done, and how long it took.

use std::{
    ffi::OsStr,
    io::Write as _,
    process::Command,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

/// The time since it was made.
pub(crate) struct Watch(Instant);

impl Watch {
    /// Starts now.
    #[allow(clippy::disallowed_methods, reason = "xtask runs natively, where the clock works")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// How long it has been.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The steps that were done, and how long each took.
static DONE: Mutex<Vec<(String, Duration)>> = Mutex::new(Vec::new());

/// Does `work` and says what it is, then how long it took. Steps may run beside each other, so each line stands for itself.
pub(crate) fn step<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    say(&format!("{what} ..."));
    let watch = Watch::start();
    let result = work();
    let elapsed = watch.elapsed();
    let seconds = elapsed.as_secs_f64();
    match result {
        Ok(_) => say(&format!("{what}: {seconds:.1} s")),
        Err(_) => say(&format!("{what}: failed after {seconds:.1} s")),
    }
    DONE.lock().unwrap_or_else(PoisonError::into_inner).push((what.to_owned(), elapsed));
    result
}

/// The steps that were done so far, and how long each took.
pub(crate) fn done() -> Vec<(String, Duration)> {
    DONE.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Tells that there was nothing to do.
pub(crate) fn unchanged(what: &str) {
    say(&format!("{what}: unchanged"));
}

/// Prints a line in one write: `eprintln!` takes several, between which wrangler and other threads print theirs.
fn say(text: &str) {
    // Without a terminal to read it the work goes on.
    let _ = std::io::stderr().write_all(format!("  {text}\n").as_bytes());
}

/// Runs a command to its end. What it prints is shown only if it fails.
pub(crate) fn quietly(command: &mut Command) -> Result<String> {
    let name = display(command);
    let output = command.output().with_context(|| format!("cannot run `{name}`"))?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("`{name}` failed ({})\n{stdout}{stderr}", output.status);
    }
    Ok(stdout.into_owned())
}

/// A command as one would type it, without its environment (which may hold secrets).
pub(crate) fn display(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program.file_name().unwrap_or(OsStr::new("?"));
    std::iter::once(name).chain(command.get_args()).map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_shows_what_it_printed() {
        let error = quietly(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"])).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("out\nerr"), "{text}");
        assert!(text.contains("exit status: 3"), "{text}");
    }

    #[test]
    fn a_missing_command_is_named() {
        let error = quietly(&mut Command::new("/nowhere/frobnicate")).unwrap_err();
        assert!(format!("{error:#}").contains("cannot run `frobnicate`"));
    }
}
