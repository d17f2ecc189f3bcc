//! Column "proven by" of `docs/coverage.md`: each test that it names has to be among the tests that passed.

use std::collections::BTreeSet;

/// The page, as faults name it.
const PAGE: &str = "docs/coverage.md";

/// A cell without a proof.
const NO_PROOF: &str = "—";

/// Carries an item that only an emulator needs; a test of the sandbox has to prove it.
const SANDBOX: &str = "the sandbox";

/// Returns one fault for each proof that did not pass, and for each row that no proof supports.
///
/// A line of `passed` is one test that passed, in one of two forms:
///
/// - `rust <test binary> <test path>`: `rust omise_linked_accounts id::tests::samples`. The name of
///   the binary is that of its file without the hash: the crate's for unit tests, the file's for `tests/<file>.rs`.
/// - `spec <file> <title path>`: `spec tests/sandbox/search.spec.ts the answer > to the letter`. The file is relative to the
///   project's folder; the titles of the suites and of the test are joined with ` > `.
pub(crate) fn unproven(page: &str, passed: &[String]) -> Vec<String> {
    let passed: BTreeSet<&str> = passed.iter().map(|line| line.trim_end()).collect();
    let mut faults = Vec::new();
    let mut rows = 0;
    let mut reported = BTreeSet::new();
    let mut header = None;
    for (line, text) in (1..).zip(page.lines()) {
        let Some(cells) = text.strip_prefix('|').and_then(|text| text.strip_suffix('|')) else {
            header = None;
            continue;
        };
        let cells: Vec<&str> = cells.split('|').map(str::trim).collect();
        let mut fault = |fault: String| faults.push(format!("{PAGE}:{line}: {fault}"));
        match (header, cells.as_slice()) {
            (None, ["item", _, "carried by", "proven by"] | ["short", ..]) => header = cells.first().copied(),
            (None, _) => fault("expected a table of items or of documents".to_owned()),
            (_, separator) if separator.iter().all(|cell| cell.trim_matches('-').is_empty()) => {}
            (Some("item"), &[item, _, carriers, proofs]) => {
                rows += 1;
                let Some(proofs) = proofs_of(proofs) else {
                    fault(format!("{item}: expected tests in backticks, or {NO_PROOF}"));
                    continue;
                };
                if proofs.is_empty() && !carriers.starts_with("not carried: ") {
                    fault(format!("{item}: no test proves it"));
                }
                if carriers.split(", ").any(|carrier| carrier == SANDBOX)
                    && !proofs.iter().any(|proof| is_of_sandbox(proof))
                {
                    fault(format!("{item}: no test of the sandbox proves it"));
                }
                for proof in proofs {
                    let Some(test) = Test::parse(proof) else {
                        fault(format!(
                            "{item}: `{proof}` is not module::tests::name, file::name or file.spec.ts: title"
                        ));
                        continue;
                    };
                    // Dozens of rows share some tests.
                    if !test.is_in(&passed) && reported.insert(proof) {
                        fault(format!("{item}: `{proof}` did not pass"));
                    }
                }
            }
            (Some("item"), _) => fault("expected four cells".to_owned()),
            _ => {}
        }
    }
    if rows == 0 {
        faults.push(format!("{PAGE}: expected rows of items, found none"));
    }
    faults
}

/// Returns the proofs of a cell: texts in backticks with commas between. `None` for any other cell.
fn proofs_of(cell: &str) -> Option<Vec<&str>> {
    if cell == NO_PROOF {
        return Some(Vec::new());
    }
    let proofs: Vec<&str> = cell.strip_prefix('`')?.strip_suffix('`')?.split("`, `").collect();
    proofs.iter().all(|proof| !proof.is_empty() && !proof.contains('`')).then_some(proofs)
}

fn is_of_sandbox(proof: &str) -> bool {
    proof.starts_with("sandbox::") || proof.starts_with("tests/sandbox/")
}

/// A test that the page names.
enum Test<'a> {
    /// The line of a test in Rust.
    Rust(String),
    /// A test of a spec: how its line begins, and the end of its title path.
    Spec(String, &'a str),
}

impl<'a> Test<'a> {
    fn parse(proof: &'a str) -> Option<Self> {
        if let Some((file, title)) = proof.split_once(": ") {
            return file.ends_with(".spec.ts").then(|| Self::Spec(format!("spec {file} "), title));
        }
        let (library, path) = match proof.split_once("::")? {
            ("sandbox", path) => ("omise_linked_accounts_sandbox", path),
            ("worker", path) => ("omise_linked_accounts_worker", path),
            _ => ("omise_linked_accounts", proof),
        };
        if path.contains("::tests::") {
            return Some(Self::Rust(format!("rust {library} {path}")));
        }
        let (file, name) = path.split_once("::")?;
        (!name.contains("::")).then(|| Self::Rust(format!("rust {file} {name}")))
    }

    fn is_in(&self, passed: &BTreeSet<&str>) -> bool {
        match self {
            Self::Rust(line) => passed.contains(line.as_str()),
            Self::Spec(start, title) => {
                passed.iter().filter_map(|line| line.strip_prefix(start.as_str())).any(|path| ends_with(path, title))
            }
        }
    }
}

/// Whether a title path is `pattern`, or has it as its last titles.
fn ends_with(path: &str, pattern: &str) -> bool {
    let rest = path.split_once(" > ").map(|(_, rest)| rest);
    matches(path, pattern) || rest.is_some_and(|rest| ends_with(rest, pattern))
}

/// Whether a text has the form of `pattern`, where `…` stands for any text: the values of a table are parts of its tests' titles.
fn matches(text: &str, pattern: &str) -> bool {
    let Some((before, after)) = pattern.split_once('…') else { return text == pattern };
    let Some(rest) = text.strip_prefix(before) else { return false };
    let mut ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    ends.any(|at| rest.get(at..).is_some_and(|rest| matches(rest, after)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSED: [&str; 6] = [
        "rust omise_linked_accounts id::tests::samples",
        "rust coverage samples_are_read",
        "rust omise_linked_accounts_sandbox route::tests::table",
        "spec tests/sandbox/search.spec.ts the answer > to the letter",
        "spec tests/sandbox/search.spec.ts pages of 25 > past the end: page=9",
        "spec tests/worker/journey.spec.ts create, approve, confirm",
    ];

    /// The faults of a page with one row.
    fn faults(carriers: &str, proofs: &str) -> Vec<String> {
        faults_of(&format!(
            "| item | where | carried by | proven by |\n|---|---|---|---|\n| `id` | 000 | {carriers} | {proofs} |\n"
        ))
    }

    fn faults_of(page: &str) -> Vec<String> {
        unproven(page, &PASSED.map(str::to_owned))
    }

    #[test]
    fn tests_that_passed_are_proofs() {
        for proof in [
            "id::tests::samples",
            "coverage::samples_are_read",
            "sandbox::route::tests::table",
            "tests/sandbox/search.spec.ts: to the letter",
            "tests/sandbox/search.spec.ts: the answer > to the letter",
            "tests/sandbox/search.spec.ts: past the end: …",
            "tests/sandbox/search.spec.ts: … the end: …",
            "tests/worker/journey.spec.ts: create, approve, confirm",
        ] {
            assert_eq!(faults("[`Status`]", &format!("`{proof}`")), [""; 0], "{proof}");
        }
        let both = "`id::tests::samples`, `tests/worker/journey.spec.ts: create, approve, confirm`";
        assert_eq!(faults("[`Status`]", both), [""; 0]);
    }

    #[test]
    fn other_tests_are_faults() {
        for proof in [
            "id::tests::sample",
            "tests::samples::tests::samples",
            "coverage::samples",
            "route::tests::table",
            "worker::route::tests::table",
            "sandbox::id::tests::samples",
            "tests/sandbox/search.spec.ts: letter",
            "tests/sandbox/search.spec.ts: the answer",
            "tests/sandbox/search.spec.ts: another suite > to the letter",
            "tests/sandbox/search.spec.ts: past the end: … and more",
            "tests/sandbox/list.spec.ts: to the letter",
        ] {
            let expected = format!("docs/coverage.md:3: `id`: `{proof}` did not pass");
            assert_eq!(faults("[`Status`]", &format!("`{proof}`")), [expected]);
        }
    }

    #[test]
    fn a_proof_of_many_rows_is_reported_once() {
        let row = "| `id` | 000 | [`Status`] | `gone::tests::one` |\n";
        let page = format!("| item | where | carried by | proven by |\n|---|---|---|---|\n{row}{row}");
        assert_eq!(faults_of(&page), ["docs/coverage.md:3: `id`: `gone::tests::one` did not pass"]);
    }

    #[test]
    fn a_row_without_a_proof_needs_a_reason() {
        assert_eq!(faults("not carried: a page for people", "—"), [""; 0]);
        assert_eq!(faults("[`Status`]", "—"), ["docs/coverage.md:3: `id`: no test proves it"]);
        assert_eq!(faults("not carried: a page for people", "`gone::tests::one`").len(), 1);
    }

    #[test]
    fn the_sandbox_needs_a_test_of_its_own() {
        for proof in ["sandbox::route::tests::table", "tests/sandbox/search.spec.ts: to the letter"] {
            assert_eq!(faults("[`Status`], the sandbox", &format!("`{proof}`")), [""; 0]);
        }
        let expected = ["docs/coverage.md:3: `id`: no test of the sandbox proves it"];
        assert_eq!(faults("the sandbox", "`id::tests::samples`"), expected);
    }

    #[test]
    fn cells_of_another_form_are_faults() {
        for proofs in
            ["", "a test", "`id::tests::samples` and more", "`id::tests::samples", "``", "a `id::tests::samples`"]
        {
            let expected = ["docs/coverage.md:3: `id`: expected tests in backticks, or —"];
            assert_eq!(faults("[`Status`]", proofs), expected, "{proofs}");
        }
        for proof in ["samples", "a::b::c", "tests/sandbox/search.ts: to the letter"] {
            let found = faults("[`Status`]", &format!("`{proof}`"));
            assert_eq!(found.len(), 1);
            assert!(found.iter().all(|fault| fault.contains("is not module::tests::name")), "{found:?}");
        }
    }

    #[test]
    fn tables_of_another_form_are_faults() {
        assert_eq!(faults_of("# Coverage\n"), ["docs/coverage.md: expected rows of items, found none"]);
        let row = "| `id` | 000 | [`Status`] | `id::tests::samples` |\n";
        let page = format!("| short | what |\n|---|---|\n| 000 | a page |\n\n| thing |\n|---|\n{row}");
        assert!(faults_of(&page).contains(&"docs/coverage.md:5: expected a table of items or of documents".to_owned()));
        let page = format!("| item | where | carried by | proven by |\n|---|---|---|---|\n{row}| `id` | 000 |\n");
        assert_eq!(faults_of(&page), ["docs/coverage.md:4: expected four cells"]);
    }
}
