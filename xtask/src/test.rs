//! `cargo xtask test`: every suite, and how many tests of each passed.
//!
//! Numbers are read from the runners' output, but a runner's exit code has the last word, and a runner that ran nothing has failed.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader, PipeReader},
    path::{Path, PathBuf},
    process::{Command, ExitCode, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use serde_json::Value;

use crate::{
    build::{self, Product},
    counts::{Counts, PassedInRust},
    coverage, root,
    stamp::Stamp,
    step::{Watch, display, quietly, step},
    tools,
    wasm::Profile,
};

/// The file that Node's runner writes a line for each test to, see harness/reporter.ts.
const RESULTS: &str = "target/xtask/results.jsonl";

/// The fault of a runner that ran no test.
const RAN_NOTHING: &str = "ran no test";

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
    /// Run the tests whose name contains this, and every test of a spec whose file name contains it
    #[arg(last = true)]
    filter: Option<String>,
}

/// What is asked of a suite.
#[derive(Clone, Copy)]
struct Asked<'a> {
    full: bool,
    filter: Option<&'a str>,
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
    /// The Worker against attackers; with `--full` every defence is taken away once, and a test has to notice
    Attacks,
    /// The Worker while network, Omise, database or runtime fail under it
    Faults,
    /// The Worker against its own OpenAPI document, by generated requests
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
    /// `None`: no runner, but what it needed.
    counts: Option<Counts>,
    seconds: f64,
    fault: Option<String>,
}

/// The command.
pub(crate) fn run(args: &Args) -> ExitCode {
    let suites = args.only.map_or_else(|| Suite::value_variants().to_vec(), |suite| vec![suite]);
    let asked = Asked { full: args.full, filter: args.filter.as_deref() };
    let mut rows = Vec::new();
    let mut passed = Vec::new();
    for suite in suites {
        suite.run(asked, &mut rows, &mut passed);
    }
    // A part of the tests proves a part of the page.
    if args.only.is_none() && args.filter.is_none() {
        rows.push(proofs(&passed));
    }
    let mut total = report(&rows);
    if total == Counts::default() {
        println!("no test has `{}` in its name or in its file's", asked.filter.unwrap_or_default());
        total.failed = 1;
    }
    // Alone and last: some readers take no more than this line.
    println!("\n{} passed, {} failed", total.passed, total.failed);
    if total.failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Whether the tests that docs/coverage.md names are among those that passed.
fn proofs(passed: &[String]) -> Row {
    const PAGE: &str = "docs/coverage.md";
    println!("\n=== {PAGE}");
    let watch = Watch::start();
    let faults = fs::read_to_string(root().join(PAGE))
        .map_or_else(|error| vec![error.to_string()], |page| coverage::unproven(&page, passed));
    println!("{}", if faults.is_empty() { "every item is proven".to_owned() } else { faults.join("\n") });
    let failed = faults.len() as u64;
    Row {
        suite: "coverage".to_owned(),
        name: "tests that docs/coverage.md names",
        counts: Some(Counts { passed: u64::from(failed == 0), failed }),
        seconds: watch.elapsed().as_secs_f64(),
        fault: None,
    }
}

impl Suite {
    fn run(self, asked: Asked, rows: &mut Vec<Row>, passed: &mut Vec<String>) {
        let suite = self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        println!("\n=== {suite}");
        let watch = Watch::start();
        let runs = self.prepare(asked);
        let prepared = watch.elapsed().as_secs_f64();
        if prepared >= 1.0 {
            rows.push(Row { suite: suite.clone(), name: "builds", counts: None, seconds: prepared, fault: None });
        }
        let runs = match runs {
            Ok(runs) => runs,
            Err(error) => {
                println!("{error:#}");
                let counts = Some(Counts { passed: 0, failed: 1 });
                let fault = Some("could not be started, see above".to_owned());
                rows.push(Row { suite, name: "-", counts, seconds: prepared, fault });
                return;
            }
        };
        for Run { name, mut command } in runs {
            println!("\n$ {}", display(&command));
            let watch = Watch::start();
            let (mut counts, fault) = match stream(&mut command) {
                Ok(mut finished) => {
                    passed.append(&mut finished.passed);
                    finished.judge()
                }
                Err(error) => (Counts::default(), Some(format!("{error:#}"))),
            };
            // A text that a spec holds need not be in the name of a test.
            if asked.filter.is_some() && counts == Counts::default() && fault.as_deref() == Some(RAN_NOTHING) {
                continue;
            }
            if fault.is_some() && counts.failed == 0 {
                counts.failed = 1;
            }
            let seconds = watch.elapsed().as_secs_f64();
            println!("\n{suite}, {name}: {seconds:.1} s");
            rows.push(Row { suite: suite.clone(), name, counts: Some(counts), seconds, fault });
        }
    }

    /// How the suite's products are built: as shipped in CI, and where the proof is about what is shipped.
    fn profile(self) -> Profile {
        let ci = std::env::var_os("CI").is_some_and(|value| value == "true");
        if ci || matches!(self, Self::Attacks | Self::Faults | Self::Package) { Profile::Release } else { Profile::Dev }
    }

    /// Builds and installs what the suite needs.
    fn prepare(self, asked: Asked) -> Result<Vec<Run>> {
        const IN_WORKERD: &str = "node --test, workerd";
        let build = |products: &[Product]| build::build(products, self.profile()).map(drop);
        let mut runs = match self {
            Self::Core => {
                let mut runs = vec![Run { name: "cargo test", command: core(asked)? }];
                let specs = node_test("backend", "node --test, example programs", asked)?;
                if !specs.is_empty() {
                    build(&[Product::Sandbox])?;
                }
                runs.extend(specs);
                runs
            }
            Self::Js => vec![
                Run { name: "wasm-bindgen-test in Node", command: js("js_node", asked)? },
                Run { name: "wasm-bindgen-test in Chromium", command: js_browser(asked)? },
            ],
            Self::Worker => {
                let runs = node_test("worker", IN_WORKERD, asked)?;
                let has = |spec| runs.iter().any(|run| run.mentions(spec));
                build(&[Product::Worker, Product::Sandbox])?;
                if has("panic.spec.ts") {
                    build(&[Product::WorkerFault])?;
                }
                if has("deploy.spec.ts") {
                    // What wrangler would send.
                    build::build(&[Product::Worker], Profile::Release)?;
                }
                tools::curl()?;
                runs
            }
            Self::Sandbox => {
                let mut runs = node_test("sandbox", IN_WORKERD, asked)?;
                build(&[Product::Sandbox])?;
                if runs.iter().any(|run| run.mentions("npx.spec.ts")) {
                    build(&[Product::SandboxPackage])?;
                }
                tools::curl()?;
                if runs.iter().any(|run| run.mentions("clients.spec.ts")) {
                    let python = tools::omise_python()?;
                    for run in &mut runs {
                        run.command.env("OMISE_PYTHON", &python);
                    }
                }
                runs
            }
            Self::Attacks => {
                build(&[Product::Worker, Product::WorkerFault, Product::Sandbox])?;
                let mut runs = node_test("attacks", IN_WORKERD, asked)?;
                if asked.full {
                    runs.push(Run { name: "node --test, without defences", command: mutations()? });
                }
                runs
            }
            Self::Faults => {
                build(&[Product::Worker, Product::WorkerFault, Product::Sandbox])?;
                node_test("faults", IN_WORKERD, asked)?
            }
            Self::Contract => {
                build(&[Product::Worker, Product::Sandbox])?;
                let mut runs = node_test("contract", "Schemathesis, workerd", asked)?;
                let schemathesis = tools::schemathesis()?;
                for run in &mut runs {
                    run.command.env("SCHEMATHESIS", &schemathesis);
                }
                runs
            }
            Self::Package => {
                build(&[Product::Package])?;
                let mut runs = node_test("package", "node --test, tarball", asked)?;
                for run in &mut runs {
                    tools::in_browser(&mut run.command)?;
                }
                runs
            }
            Self::Browser => {
                build(&[Product::Worker, Product::Sandbox, Product::SandboxPackage, Product::Storefront])?;
                vec![Run { name: "Playwright, Chromium", command: playwright(asked)? }]
            }
        };
        if runs.iter().any(Run::reads_facts) {
            facts()?;
        }
        for run in &mut runs {
            run.command.env("BUILD_PROFILE", self.profile().name());
            if asked.full {
                run.command.env("FULL", "1");
            } else {
                run.command.env_remove("FULL");
            }
        }
        Ok(runs)
    }
}

/// Has the crates write what other languages must agree with, see `tests/support/facts.ts`.
fn facts() -> Result<()> {
    let crates = ["omise-linked-accounts", "omise-linked-accounts-worker", "omise-linked-accounts-sandbox"];
    let inputs =
        ["Cargo.toml", "Cargo.lock", "src", "worker/src", "worker/Cargo.toml", "sandbox/src", "sandbox/Cargo.toml"];
    let stamp = Stamp {
        file: root().join("target/xtask/facts"),
        inputs: inputs.iter().map(|name| root().join(name)).collect(),
        ignored: vec![],
        versions: String::new(),
        outputs: ["core", "worker", "sandbox"]
            .iter()
            .map(|name| root().join(format!("target/facts/{name}.json")))
            .collect(),
    };
    let before = stamp.before()?;
    if stamp.is_current(&before)? {
        return Ok(());
    }
    step("write facts", || {
        stamp.clear()?;
        let mut command = tools::cargo();
        command.args(["test", "--quiet", "--lib"]).args(crates.iter().flat_map(|name| ["--package", name]));
        quietly(command.args(["--", "facts"]))?;
        stamp.write(&before)
    })
}

impl Run {
    /// Whether one of its specs reads facts.
    fn reads_facts(&self) -> bool {
        let mut specs = self.command.get_args().filter(|argument| argument.to_string_lossy().ends_with(".spec.ts"));
        specs.any(|spec| fs::read_to_string(spec).is_ok_and(|text| text.contains("support/facts.ts")))
    }

    /// Whether the command names a file.
    fn mentions(&self, name: &str) -> bool {
        self.command.get_args().any(|argument| Path::new(argument).file_name() == Some(OsStr::new(name)))
    }
}

fn core(asked: Asked) -> Result<Command> {
    let mut command = tools::cargo();
    command
        .args(["test", "--no-fail-fast"])
        .env("PROPTEST_CASES", if asked.full { "10000" } else { "256" })
        // return addresses are held against Node's own parser
        .env("PATH", tools::path_with_node()?);
    for package in ["omise-linked-accounts", "omise-linked-accounts-worker", "omise-linked-accounts-sandbox", "xtask"] {
        command.args(["--package", package]);
    }
    command.args(asked.filter);
    Ok(command)
}

fn js(test: &str, asked: Asked) -> Result<Command> {
    tools::wasm_target()?;
    let runner = tools::js_runner()?;
    let mut command = tools::cargo();
    command
        .args(["test", "--target", "wasm32-unknown-unknown", "--package", "omise-linked-accounts"])
        .args(["--features", "js,webhook", "--test", test])
        // As a list: a text, or the environment variable of that name, is split at white space, which a folder may have in its name.
        .args(["--config", &format!("target.wasm32-unknown-unknown.runner = {}", toml_list(&[&runner])?)])
        .args(asked.filter)
        .env("PATH", tools::path_with_node()?);
    Ok(command)
}

/// Paths as a list in TOML, whose basic strings are written like JSON's.
fn toml_list(paths: &[&Path]) -> Result<String> {
    let texts: Vec<_> = paths.iter().map(|path| path.to_str().context("a path is not UTF-8")).collect::<Result<_>>()?;
    serde_json::to_string(&texts).context("cannot write a list")
}

fn js_browser(asked: Asked) -> Result<Command> {
    let browser = tools::browser()?;
    let capabilities = serde_json::json!({
        "goog:chromeOptions": { "binary": browser.chromium, "args": tools::CHROMIUM_FLAGS }
    });
    let folder = root().join("target/xtask");
    fs::create_dir_all(&folder).context("cannot create target/xtask")?;
    let file = folder.join("webdriver.json");
    fs::write(&file, capabilities.to_string()).context("cannot write target/xtask/webdriver.json")?;
    let mut command = js("js_browser", asked)?;
    command
        .env("CHROMEDRIVER", browser.driver)
        .env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", file)
        // Seconds. The defaults of 5 and 20 are short for a browser that starts cold on a busy machine.
        .env("WASM_BINDGEN_TEST_DRIVER_TIMEOUT", "60")
        .env("WASM_BINDGEN_TEST_TIMEOUT", "120");
    Ok(command)
}

/// `tests/<folder>/*.spec.ts`, run as they are: those whose file name fits, and of the others the tests whose name does.
fn node_test(folder: &str, name: &'static str, asked: Asked) -> Result<Vec<Run>> {
    let specs = specs(&format!("tests/{folder}"))?;
    let Some(filter) = asked.filter else {
        return Ok(vec![Run { name, command: node_runner(&specs, None, asked.full)? }]);
    };
    let filter = filter.to_lowercase();
    let named = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().contains(&filter));
    let (whole, others): (Vec<_>, Vec<_>) = specs.into_iter().partition(named);
    // Each spec starts Workers, and one of whose tests none is chosen would not stop them.
    let holds = |path: &PathBuf| {
        fs::read_to_string(path).is_ok_and(|text| titles(&text).any(|title| title.to_lowercase().contains(&filter)))
    };
    let others: Vec<_> = others.into_iter().filter(holds).collect();
    let mut runs = Vec::new();
    if !whole.is_empty() {
        runs.push(Run { name, command: node_runner(&whole, None, asked.full)? });
    }
    if !others.is_empty() {
        runs.push(Run { name, command: node_runner(&others, Some(&filter), asked.full)? });
    }
    Ok(runs)
}

/// The titles of the tests and suites in the text of a spec, as they are written there.
fn titles(spec: &str) -> impl Iterator<Item = &str> {
    let calls = ["test(", "suite("].into_iter().flat_map(|call| spec.split(call).skip(1));
    calls.filter_map(|rest| {
        let rest = rest.trim_start();
        let quote = rest.chars().next().filter(|c| ['"', '\'', '`'].contains(c))?;
        rest.get(1..)?.split(quote).next()
    })
}

/// A text as a regular expression of JavaScript's that matches it.
fn escaped(text: &str) -> String {
    text.chars()
        .flat_map(|c| (!c.is_alphanumeric() && c.is_ascii() && c != ' ').then_some('\\').into_iter().chain([c]))
        .collect()
}

/// Node's runner for some specs, and of those the tests whose name contains a text.
fn node_runner(specs: &[PathBuf], text: Option<&str>, full: bool) -> Result<Command> {
    // Milliseconds: a test that hangs fails, rather than CI.
    let timeout = if full { 3_600_000 } else { 600_000 };
    let mut command = tools::node_command()?;
    // One less than there are cores is Node's choice, which leaves one of two without work: specs wait more than they compute.
    command.args(["--test", "--test-concurrency=2", &format!("--test-timeout={timeout}")]);
    command.args(["--test-reporter=spec", "--test-reporter-destination=stdout"]);
    command.args(["--test-reporter=./harness/reporter.ts", &format!("--test-reporter-destination={RESULTS}")]);
    if let Some(text) = text {
        command.arg(format!("--test-name-pattern=/{}/i", escaped(text)));
    }
    command.args(specs);
    Ok(command)
}

/// The Worker without one defence at a time, see `tests/attacks/mutations.full.ts`.
fn mutations() -> Result<Command> {
    let mut command = tools::node_command()?;
    // Milliseconds, for each: an hour is for a build that starts from nothing.
    command.args(["--test", "--test-reporter=spec", "--test-timeout=3600000", "tests/attacks/mutations.full.ts"]);
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

fn playwright(asked: Asked) -> Result<Command> {
    let mut command = tools::node_command()?;
    command.arg(tools::node_program("playwright")?).args(["test", "--config", "tests/browser/playwright.config.ts"]);
    if let Some(filter) = asked.filter {
        // Its titles include the file's name.
        command.args(["--grep", &escaped(filter)]);
    }
    tools::in_browser(&mut command)?;
    Ok(command)
}

/// A runner that ended.
struct Finished {
    counts: Counts,
    /// The tests that passed, as [`coverage::unproven`] has them.
    passed: Vec<String>,
    status: ExitStatus,
    left_behind: bool,
}

impl Finished {
    /// What counts, and what is wrong besides tests that failed.
    fn judge(self) -> (Counts, Option<String>) {
        let fault = if self.counts == Counts::default() {
            Some(if self.status.success() { RAN_NOTHING.to_owned() } else { format!("ran no test ({})", self.status) })
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
    // Of an earlier runner.
    let _ = fs::remove_file(root().join(RESULTS));
    // One pipe for both outputs, so that lines keep their order.
    let (output, input) = std::io::pipe().context("cannot make a pipe")?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(input.try_clone().context("cannot share a pipe")?)
        .stderr(input)
        .spawn()
        .with_context(|| format!("cannot run `{name}`"))?;
    // The command would keep its ends of the pipe open.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let lines = lines_of(output);

    let mut counts = Counts::default();
    let mut passed = PassedInRust::default();
    let mut ended: Option<(ExitStatus, Watch)> = None;
    let left_behind = loop {
        match lines.recv_timeout(Duration::from_millis(100)) {
            Ok(line) => {
                println!("{line}");
                counts.add_line(&line);
                passed.add_line(&line);
            }
            Err(RecvTimeoutError::Disconnected) => break false,
            // The output stays open for as long as any process holds it, be it a grandchild that was forgotten.
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
    let mut passed = passed.lines;
    passed.extend(fs::read_to_string(root().join(RESULTS)).unwrap_or_default().lines().filter_map(passed_in_node));
    Ok(Finished { counts, passed, status, left_behind })
}

/// The test that a line of [`RESULTS`] is about, as [`coverage::unproven`] has it, if it passed.
fn passed_in_node(line: &str) -> Option<String> {
    let result: Value = serde_json::from_str(line).ok()?;
    let titles: Option<Vec<_>> = result.get("titles")?.as_array()?.iter().map(Value::as_str).collect();
    let passed = result.get("passed")?.as_bool()?;
    passed.then_some(format!("spec {} {}", result.get("file")?.as_str()?, titles?.join(" > ")))
}

fn lines_of(output: PipeReader) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n') {
            let Ok(line) = line else { return };
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
    lines
}

/// Prints the table and gives the sum.
fn report(rows: &[Row]) -> Counts {
    println!("\n{:<9}{:<31}{:>7}{:>8}{:>9}", "suite", "what ran", "passed", "failed", "seconds");
    let mut total = Counts::default();
    for row in rows {
        let Counts { passed, failed } = row.counts.unwrap_or_default();
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
    fn a_path_with_a_space_stays_one_word_of_the_runner() {
        let list = toml_list(&[Path::new("/a folder/ก \"b\"/js-runner")]).unwrap();
        assert_eq!(list, r#"["/a folder/ก \"b\"/js-runner"]"#);
    }

    #[test]
    fn titles_are_found_on_the_next_line_too() {
        let spec = "suite(\"a\", () => {\n  test(\n    `b ${c}`, () => {});\n  test(name, () => 'd');\n});";
        assert_eq!(titles(spec).collect::<Vec<_>>(), ["b ${c}", "a"]);
    }

    #[test]
    fn a_filter_is_a_text_and_no_pattern() {
        assert_eq!(escaped("C19: a path (one form)"), r"C19\: a path \(one form\)");
        assert_eq!(escaped("ก.b"), r"ก\.b");
    }

    #[test]
    fn tests_that_passed_are_named_with_their_suites() {
        let line = |passed| format!(r#"{{"file":"tests/a.spec.ts","titles":["suite","test"],"passed":{passed}}}"#);
        assert_eq!(passed_in_node(&line(true)).as_deref(), Some("spec tests/a.spec.ts suite > test"));
        assert_eq!(passed_in_node(&line(false)), None);
        assert_eq!(passed_in_node("prose"), None);
    }

    #[test]
    fn running_nothing_is_a_failure() {
        let (_, fault) = judged("echo 'ℹ pass 0'");
        assert_eq!(fault.as_deref(), Some(RAN_NOTHING));
    }

    #[test]
    fn a_process_left_behind_is_a_failure_and_does_not_hang() {
        let (counts, fault) = judged("echo 'ℹ pass 1'; exec 3>&1; (exec sleep 30) & echo $! > /dev/null; exit 0");
        assert_eq!(counts.passed, 1);
        assert_eq!(fault.as_deref(), Some("left a process behind"));
    }
}
