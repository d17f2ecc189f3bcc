//! `cargo xtask test`: every suite, and how many tests of each passed.
//!
//! Numbers are read from the runners' output, but a runner's exit code has the last word, and a runner that ran nothing has failed.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader, Read},
    path::PathBuf,
    process::{Command, ExitCode, ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use crate::{
    build::{self, Product},
    counts::Counts,
    root,
    step::{Watch, display},
    tools,
};

/// How long what a runner leaves behind may keep its output open.
const GRACE: Duration = Duration::from_secs(5);

/// Run the test suites and count what passed.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run the long counts
    #[arg(long)]
    full: bool,
    /// Run this suite only
    #[arg(long)]
    only: Option<Suite>,
}

/// The suites, in the order in which they run: what is quick to tell comes first.
#[derive(Clone, Copy, ValueEnum)]
enum Suite {
    /// Rust, natively: units, properties, examples in the documentation
    Core,
    /// The JavaScript surface of the core, in Node and in a browser
    Js,
    /// The Worker in workerd
    Worker,
    /// The npm package, installed from its tarball
    Package,
    /// Journeys of a customer in a browser
    Browser,
    /// The sandbox in workerd
    Sandbox,
    /// The Worker against whoever means harm; with `--full` every defence is taken away once, and has to be missed
    Attacks,
    /// The Worker while network, Omise, database or runtime fail under it
    Faults,
    /// The Worker against its own OpenAPI document, by requests that nobody wrote
    Contract,
}

/// A runner and what it is called in the table.
struct Run {
    name: &'static str,
    command: Command,
}

/// A line of the table.
struct Row {
    suite: String,
    name: &'static str,
    counts: Counts,
    seconds: f64,
    fault: Option<String>,
}

/// The command.
pub(crate) fn run(args: &Args) -> ExitCode {
    let suites = args.only.map_or_else(|| Suite::value_variants().to_vec(), |suite| vec![suite]);
    let mut rows = Vec::new();
    for suite in suites {
        suite.run(args.full, &mut rows);
    }
    let total = report(&rows);
    // Alone and last, for those who read no more than this.
    println!("\n{} passed, {} failed", total.passed, total.failed);
    if total.failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

impl Suite {
    fn run(self, full: bool, rows: &mut Vec<Row>) {
        let suite = self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        println!("\n=== {suite}");
        let watch = Watch::start();
        let runs = match self.prepare(full) {
            Ok(runs) => runs,
            Err(error) => {
                println!("{error:#}");
                let counts = Counts { passed: 0, failed: 1 };
                let fault = Some("could not be started, see above".to_owned());
                rows.push(Row { suite, name: "-", counts, seconds: watch.elapsed().as_secs_f64(), fault });
                return;
            }
        };
        for Run { name, mut command } in runs {
            println!("\n$ {}", display(&command));
            let watch = Watch::start();
            let (mut counts, fault) = match stream(&mut command) {
                Ok(finished) => finished.judge(),
                Err(error) => (Counts::default(), Some(format!("{error:#}"))),
            };
            if fault.is_some() && counts.failed == 0 {
                counts.failed = 1;
            }
            rows.push(Row { suite: suite.clone(), name, counts, seconds: watch.elapsed().as_secs_f64(), fault });
        }
    }

    /// Builds and installs what the suite needs.
    fn prepare(self, full: bool) -> Result<Vec<Run>> {
        let mut runs = match self {
            Self::Core => {
                build::build(&[Product::Sandbox])?;
                vec![
                    Run { name: "cargo test", command: core(full)? },
                    Run { name: "node --test, example programs", command: node_test("backend", full)? },
                ]
            }
            Self::Js => vec![
                Run { name: "wasm-bindgen-test in Node", command: js("js_node")? },
                Run { name: "wasm-bindgen-test in Chromium", command: js_browser()? },
            ],
            Self::Worker => {
                build::build(&[Product::Worker, Product::WorkerFault, Product::Sandbox])?;
                tools::curl()?;
                vec![Run { name: "node --test, workerd", command: node_test("worker", full)? }]
            }
            Self::Sandbox => {
                build::build(&[Product::Sandbox, Product::SandboxPackage])?;
                tools::curl()?;
                let mut command = node_test("sandbox", full)?;
                command.env("OMISE_PYTHON", tools::omise_python()?);
                vec![Run { name: "node --test, workerd", command }]
            }
            Self::Attacks => {
                build::build(&[Product::Worker, Product::WorkerFault, Product::Sandbox])?;
                let mut runs = vec![Run { name: "node --test, workerd", command: node_test("attacks", full)? }];
                if full {
                    runs.push(Run { name: "node --test, without defences", command: mutations()? });
                }
                runs
            }
            Self::Faults => {
                build::build(&[Product::Worker, Product::Sandbox])?;
                vec![Run { name: "node --test, workerd", command: node_test("faults", full)? }]
            }
            Self::Contract => {
                build::build(&[Product::Worker, Product::Sandbox])?;
                let mut command = node_test("contract", full)?;
                command.env("SCHEMATHESIS", tools::schemathesis()?);
                vec![Run { name: "Schemathesis, workerd", command }]
            }
            Self::Package => {
                build::build(&[Product::Package])?;
                let mut command = node_test("package", full)?;
                tools::in_browser(&mut command)?;
                vec![Run { name: "node --test, tarball", command }]
            }
            Self::Browser => {
                build::build(&Product::ALL)?;
                vec![Run { name: "Playwright, Chromium", command: playwright()? }]
            }
        };
        for run in &mut runs {
            if full {
                run.command.env("FULL", "1");
            } else {
                run.command.env_remove("FULL");
            }
        }
        Ok(runs)
    }
}

fn core(full: bool) -> Result<Command> {
    let mut command = tools::cargo();
    command
        .args(["test", "--no-fail-fast"])
        .env("PROPTEST_CASES", if full { "10000" } else { "256" })
        // return addresses are held against Node's own parser
        .env("PATH", tools::path_with_node()?);
    for package in ["omise-linked-accounts", "omise-linked-accounts-worker", "omise-linked-accounts-sandbox", "xtask"] {
        command.args(["--package", package]);
    }
    Ok(command)
}

fn js(test: &str) -> Result<Command> {
    tools::wasm_target()?;
    let mut command = tools::cargo();
    command
        .args(["test", "--target", "wasm32-unknown-unknown", "--package", "omise-linked-accounts"])
        .args(["--features", "js,webhook", "--test", test])
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", tools::wasm_bindgen_test_runner()?)
        .env("PATH", tools::path_with_node()?);
    Ok(command)
}

fn js_browser() -> Result<Command> {
    let browser = tools::browser()?;
    let capabilities = serde_json::json!({
        "goog:chromeOptions": { "binary": browser.chromium, "args": tools::CHROMIUM_FLAGS }
    });
    let folder = root().join("target/xtask");
    fs::create_dir_all(&folder).context("cannot create target/xtask")?;
    let file = folder.join("webdriver.json");
    fs::write(&file, capabilities.to_string()).context("cannot write target/xtask/webdriver.json")?;
    let mut command = js("js_browser")?;
    command
        .env("CHROMEDRIVER", browser.driver)
        .env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", file)
        // Seconds. The defaults of 5 and 20 are short for a browser that starts cold on a busy machine.
        .env("WASM_BINDGEN_TEST_DRIVER_TIMEOUT", "60")
        .env("WASM_BINDGEN_TEST_TIMEOUT", "120");
    Ok(command)
}

/// `tests/<folder>/*.spec.ts`, run as they are.
fn node_test(folder: &str, full: bool) -> Result<Command> {
    let folder = format!("tests/{folder}");
    let specs = specs(&folder)?;
    // Milliseconds: a test that hangs fails, rather than CI.
    let timeout = if full { 3_600_000 } else { 600_000 };
    let mut command = tools::node_command()?;
    command.args(["--test", "--test-reporter=spec", &format!("--test-timeout={timeout}")]).args(specs);
    Ok(command)
}

/// The Worker without one defence at a time, see `tests/attacks/mutations.full.ts`.
fn mutations() -> Result<Command> {
    let mut command = tools::node_command()?;
    // Milliseconds, for each: an hour is for a build that starts from nothing.
    command
        .args(["--test", "--test-reporter=spec", "--test-timeout=3600000", "tests/attacks/mutations.full.ts"])
        .env("WORKER_BUILD", tools::worker_build()?)
        .env("WASM_BINDGEN_BIN", tools::wasm_bindgen()?)
        .env("ESBUILD_BIN", tools::esbuild()?);
    Ok(command)
}

fn specs(folder: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {folder}"))?;
    let mut specs = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.ends_with(".spec.ts")) {
            specs.push(path);
        }
    }
    if specs.is_empty() {
        bail!("there is no {folder}/*.spec.ts");
    }
    specs.sort();
    Ok(specs)
}

fn playwright() -> Result<Command> {
    let mut command = tools::node_command()?;
    command.arg(tools::node_program("playwright")?).args(["test", "--config", "tests/browser/playwright.config.ts"]);
    tools::in_browser(&mut command)?;
    Ok(command)
}

/// A runner that ended.
struct Finished {
    counts: Counts,
    status: ExitStatus,
    left_behind: bool,
}

impl Finished {
    /// What counts, and what is wrong besides tests that failed.
    fn judge(self) -> (Counts, Option<String>) {
        let fault = if self.counts == Counts::default() {
            Some(format!("ran no test ({})", self.status))
        } else if !self.status.success() {
            Some(self.status.to_string())
        } else if self.left_behind {
            Some("left a process behind".to_owned())
        } else {
            None
        };
        (self.counts, fault)
    }
}

/// Runs a command, showing what it prints as it comes, and counts the tests that it speaks of.
fn stream(command: &mut Command) -> Result<Finished> {
    let name = display(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run `{name}`"))?;
    let (sender, lines) = mpsc::channel();
    forward(child.stdout.take(), sender.clone());
    forward(child.stderr.take(), sender);

    let mut counts = Counts::default();
    let mut ended: Option<(ExitStatus, Watch)> = None;
    let left_behind = loop {
        match lines.recv_timeout(Duration::from_millis(100)) {
            Ok(line) => {
                println!("{line}");
                counts.add_line(&line);
            }
            Err(RecvTimeoutError::Disconnected) => break false,
            // The output stays open for as long as somebody holds it, be it a grandchild that was forgotten.
            Err(RecvTimeoutError::Timeout) => match &ended {
                None => ended = child.try_wait()?.map(|status| (status, Watch::start())),
                Some((_, since)) if since.elapsed() > GRACE => break true,
                Some(_) => {}
            },
        }
    };
    let status = match ended {
        Some((status, _)) => status,
        None => child.wait().with_context(|| format!("cannot wait for `{name}`"))?,
    };
    Ok(Finished { counts, status, left_behind })
}

fn forward(output: Option<impl Read + Send + 'static>, lines: Sender<String>) {
    let Some(output) = output else { return };
    thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n') {
            let Ok(line) = line else { return };
            if lines.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
}

/// Prints the table and gives the sum.
fn report(rows: &[Row]) -> Counts {
    println!("\n{:<9}{:<31}{:>7}{:>8}{:>9}", "suite", "what ran", "passed", "failed", "seconds");
    let mut total = Counts::default();
    for row in rows {
        let Counts { passed, failed } = row.counts;
        let fault = row.fault.as_ref().map(|fault| format!("  {fault}")).unwrap_or_default();
        println!("{:<9}{:<31}{passed:>7}{failed:>8}{:>9.1}{fault}", row.suite, row.name, row.seconds);
        total.passed += passed;
        total.failed += failed;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(script: &str) -> (Counts, Option<String>) {
        stream(Command::new("sh").args(["-c", script])).unwrap().judge()
    }

    #[test]
    fn both_outputs_are_counted() {
        let (counts, fault) = judged("echo '  2 passed (1s)'; echo 'test result: ok. 1 passed; 0 failed;' >&2");
        assert_eq!(counts, Counts { passed: 3, failed: 0 });
        assert_eq!(fault, None);
    }

    #[test]
    fn a_bad_exit_is_a_failure_although_the_counts_look_fine() {
        let (_, fault) = judged("echo 'ℹ pass 3'; exit 7");
        assert_eq!(fault.as_deref(), Some("exit status: 7"));
    }

    #[test]
    fn running_nothing_is_a_failure() {
        let (_, fault) = judged("echo 'ℹ pass 0'");
        assert_eq!(fault.as_deref(), Some("ran no test (exit status: 0)"));
    }

    #[test]
    fn a_process_left_behind_is_a_failure_and_does_not_hang() {
        let (counts, fault) = judged("echo 'ℹ pass 1'; exec 3>&1; (exec sleep 30) & echo $! > /dev/null; exit 0");
        assert_eq!(counts.passed, 1);
        assert_eq!(fault.as_deref(), Some("left a process behind"));
    }
}
