//! How many tests ran, read from what the runners print.

/// Tests that passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Those that passed.
    pub(crate) passed: u64,
    /// Those that failed or were cancelled.
    pub(crate) failed: u64,
}

impl Counts {
    /// Counts the tests that a line speaks of; most lines speak of none.
    ///
    /// - cargo and wasm-bindgen: `test result: ok. 3 passed; 0 failed; …`, one for each program
    /// - Node: `ℹ pass 3`, `ℹ fail 0`, `ℹ cancelled 0` (`#` for `ℹ` in TAP), once
    /// - Playwright: `3 passed (4.1s)`, `1 failed`, `1 flaky`, once
    pub(crate) fn add_line(&mut self, line: &str) {
        let line = plain(line);
        let line = line.trim();
        if let Some(result) = line.strip_prefix("test result: ") {
            for part in result.split([';', '.']) {
                self.add_words(part);
            }
        } else if let Some(summary) = line.strip_prefix("ℹ ").or_else(|| line.strip_prefix("# ")) {
            match summary.split_once(' ').map(|(word, count)| (word, count.parse::<u64>())) {
                Some(("pass", Ok(count))) => self.passed += count,
                Some(("fail" | "cancelled", Ok(count))) => self.failed += count,
                _ => {}
            }
        } else if line.split_once(" (").map_or(line, |(words, _)| words).split(' ').count() == 2 {
            self.add_words(line);
        }
    }

    /// `3 passed` or `1 failed`, perhaps with more after it.
    fn add_words(&mut self, text: &str) {
        let mut words = text.split_whitespace();
        let Some(count) = words.next().and_then(|word| word.parse::<u64>().ok()) else { return };
        match words.next() {
            Some("passed") => self.passed += count,
            // A test that passed on a second try has failed: nothing here is tried twice on purpose.
            Some("failed" | "flaky" | "interrupted") => self.failed += count,
            _ => {}
        }
    }
}

/// Tests in Rust that passed, read from what cargo prints: a line `rust <test binary> <test path>` each. The name of the binary is that of
/// its file without the hash.
#[derive(Default)]
pub(crate) struct PassedInRust {
    binary: String,
    pub(crate) lines: Vec<String>,
}

impl PassedInRust {
    /// Looks at a line: one that names a binary holds for those after it.
    pub(crate) fn add_line(&mut self, line: &str) {
        let line = plain(line);
        let line = line.trim();
        if line.starts_with("Running ") {
            let file = line.rsplit('/').next().unwrap_or_default();
            file.rsplit_once('-').map_or(file, |(name, _)| name).clone_into(&mut self.binary);
        } else if let Some(test) = line.strip_prefix("test ").and_then(|line| line.strip_suffix(" ... ok")) {
            self.lines.push(format!("rust {} {test}", self.binary));
        }
    }
}

/// Without the escape sequences that colour a terminal.
fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(output: &str) -> (u64, u64) {
        let mut counts = Counts::default();
        for line in output.lines() {
            counts.add_line(line);
        }
        (counts.passed, counts.failed)
    }

    #[test]
    fn cargo_prints_one_result_for_each_program() {
        let output = "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\n\
            test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.01s\n\
            test result: ok. 40 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 1.20s\n";
        assert_eq!(counts(output), (41, 1));
    }

    #[test]
    fn node_prints_one_summary() {
        let output =
            "✔ answers 404 (3.1ms)\nℹ tests 5\nℹ suites 1\nℹ pass 3\nℹ fail 1\nℹ cancelled 1\nℹ skipped 0\nℹ todo 0\n";
        assert_eq!(counts(output), (3, 2));
        assert_eq!(counts("# tests 2\n# pass 2\n# fail 0\n"), (2, 0));
        assert_eq!(counts("\u{1b}[34mℹ pass 7\u{1b}[39m\n"), (7, 0));
    }

    #[test]
    fn playwright_prints_a_line_for_each_outcome() {
        assert_eq!(
            counts("  1 failed\n    [desktop] › a.spec.ts:3:1 › links\n  2 did not run\n  6 passed (12.3s)\n"),
            (6, 1)
        );
        assert_eq!(counts("  1 flaky\n  4 passed (1.0m)\n"), (4, 1));
    }

    #[test]
    fn tests_in_rust_are_named_with_their_binary() {
        let mut passed = PassedInRust::default();
        for line in [
            "     Running unittests src/lib.rs (target/debug/deps/omise_linked_accounts-0b9b6cdd)",
            "test id::tests::samples ... ok",
            "test id::tests::other ... FAILED",
            "     Running tests/coverage.rs (/a folder/target/debug/deps/coverage-9d1e)",
            "test rows ... ok",
            "test result: ok. 1 passed; 0 failed",
        ] {
            passed.add_line(line);
        }
        assert_eq!(passed.lines, ["rust omise_linked_accounts id::tests::samples", "rust coverage rows"]);
    }

    #[test]
    fn prose_is_not_counted() {
        assert_eq!(
            counts("3 passed the exam today\nthere were 2 failed attempts\nℹ pass\n# pass on\n12 files\n"),
            (0, 0)
        );
    }
}
