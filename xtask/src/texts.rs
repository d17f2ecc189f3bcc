//! What the npm package says, as the core says it: messages by language, reasons, and the words that types list.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use omise_linked_accounts::{
    AccountType, IssueCode, Reason, Status,
    message::{self, Locale},
};
use serde_json::{Map, Value, json};

const HEAD: &str = "// Written by `cargo xtask build` from the core; do not change it here.\n";

/// Reasons that arise before the calls are loaded.
const LOADING: [Reason; 3] = [Reason::Offline, Reason::LoadFailed, Reason::WasmBlocked];

/// Reasons that arise in calls, with no answer of the Worker's.
const CALLS: [Reason; 7] = [
    Reason::NetworkFailed,
    Reason::Timeout,
    Reason::AnswerUnreadable,
    Reason::TokenUnavailable,
    Reason::RegistrationUriUnsafe,
    Reason::InvalidRequest,
    Reason::NotFound,
];

/// Writes them into the package, and what they are into the folder of types for `tsc`.
pub(crate) fn write(package: &Path, types: &Path) -> Result<()> {
    for folder in [package, types] {
        fs::create_dir_all(folder.join("messages")).context("cannot create messages/")?;
    }
    for (name, locale) in [("en", Locale::En), ("th", Locale::Th), ("ja", Locale::Ja)] {
        write_file(&package.join(format!("messages/{name}.js")), &module(&messages(locale)))?;
        write_file(&types.join(format!("messages/{name}.d.ts")), &format!("{HEAD}{MESSAGES}"))?;
    }
    for (name, list) in [("reasons", LOADING.as_slice()), ("call-reasons", &CALLS)] {
        write_file(&package.join(format!("{name}.js")), &module(&reasons(list)))?;
        write_file(&types.join(format!("{name}.d.ts")), &format!("{HEAD}{REASONS}"))?;
    }
    for folder in [package, types] {
        write_file(&folder.join("generated.d.ts"), &format!("{HEAD}{}", unions()))?;
    }
    Ok(())
}

const MESSAGES: &str = "declare const messages: {
  reasons: Record<string, string>;
  failures: Record<string, string>;
  issues: Record<string, string>;
};
export default messages;
";

const REASONS: &str = "declare const reasons: Record<string, [code: string, retryable: boolean, message: string]>;
export default reasons;
";

fn write_file(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn module(value: &Value) -> String {
    format!("{HEAD}export default {value};\n")
}

/// Every message of a language. What no lookup would tell from the general one is left out.
fn messages(locale: Locale) -> Value {
    let reasons: Map<_, _> = Reason::ALL
        .iter()
        .map(|reason| (reason.as_str().to_owned(), message::reason(*reason, locale).into()))
        .collect();
    let failures: Map<_, _> = message::FAILURES
        .iter()
        .map(|code| ((*code).to_owned(), message::failure(Some(code), locale).into()))
        .chain([(String::new(), message::failure(None, locale).into())])
        .collect();
    let general = |code| message::issue("", code, locale);
    let mut issues: Map<_, _> =
        IssueCode::ALL.iter().map(|code| (code.as_str().to_owned(), general(*code).into())).collect();
    for field in message::FIELDS {
        for code in IssueCode::ALL {
            let text = message::issue(field, code, locale);
            if text != general(code) {
                issues.insert(format!("{field} {}", code.as_str()), text.into());
            }
        }
    }
    json!({ "reasons": reasons, "failures": failures, "issues": issues })
}

fn reasons(list: &[Reason]) -> Value {
    let row = |reason: &Reason| {
        (reason.as_str().to_owned(), json!([reason.code().as_str(), reason.is_retryable(), reason.message()]))
    };
    Value::Object(list.iter().map(row).collect())
}

/// Types of the words that are known; the package's own declarations leave them open.
fn unions() -> String {
    let union = |name: &str, words: Vec<&str>| {
        let words: Vec<String> = words.iter().map(|word| format!("\n  | \"{word}\"")).collect();
        format!("\nexport type {name} ={};\n", words.concat())
    };
    [
        union("KnownStatus", Status::OFFICIAL.iter().map(Status::as_str).collect()),
        union("KnownAccountType", AccountType::DIRECT_DEBIT.iter().map(AccountType::as_str).collect()),
        union("KnownReason", Reason::ALL.iter().map(|reason| reason.as_str()).collect()),
        union("KnownIssueCode", IssueCode::ALL.iter().map(|code| code.as_str()).collect()),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_and_issue_has_words() {
        for locale in Locale::ALL {
            let messages = messages(locale);
            let count = |name: &str| messages[name].as_object().map_or(0, Map::len);
            assert_eq!(count("reasons"), Reason::ALL.len());
            assert_eq!(count("failures"), message::FAILURES.len() + 1);
            assert!(count("issues") > IssueCode::ALL.len());
        }
    }

    #[test]
    fn what_is_ours_has_no_status() {
        let ours = || LOADING.into_iter().chain(CALLS);
        for reason in ours() {
            let of_the_worker = matches!(reason, Reason::InvalidRequest | Reason::NotFound);
            assert_eq!(reason.http_status().is_some(), of_the_worker, "{reason}");
        }
        assert_eq!(ours().count() - 2, Reason::ALL.iter().filter(|reason| reason.http_status().is_none()).count());
    }

    #[test]
    fn types_list_the_words() {
        assert!(unions().contains("export type KnownIssueCode =\n  | \"required\"\n  | \"wrong_type\""));
    }
}
