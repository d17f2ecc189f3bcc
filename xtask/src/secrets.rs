//! Secrets of the development stack: random, made once, kept out of git, never printed.
//!
//! They are written where wrangler looks for a Worker's local secrets, one `KEY="value"` a line.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};

use crate::root;

const OMISE_SECRET_KEY: &str = "OMISE_SECRET_KEY";
const SESSION_SECRET: &str = "SESSION_SECRET";
const LEDGER_KEY: &str = "LEDGER_KEY";
const WEBHOOK_SECRET: &str = "WEBHOOK_SECRET";
const CONTROL_TOKEN: &str = "CONTROL_TOKEN";

/// A secret that both files hold has one value.
const FILES: [(&str, &[&str]); 2] = [
    ("worker/.dev.vars", &[OMISE_SECRET_KEY, SESSION_SECRET, LEDGER_KEY, WEBHOOK_SECRET]),
    ("sandbox/.dev.vars", &[OMISE_SECRET_KEY, WEBHOOK_SECRET, CONTROL_TOKEN]),
];

/// Writes what is missing of the two files; what is there stays.
pub(crate) fn ensure() -> Result<()> {
    ensure_in(root())
}

fn ensure_in(folder: &Path) -> Result<()> {
    let mut values: BTreeMap<&str, String> = BTreeMap::new();
    let mut missing = Vec::new();
    for (name, keys) in FILES {
        let path = folder.join(name);
        let text = if path.exists() {
            fs::read_to_string(&path).with_context(|| format!("cannot read {name}"))?
        } else {
            String::new()
        };
        for key in keys {
            let Some(value) = value_of(&text, key) else {
                missing.push((name, *key));
                continue;
            };
            if values.insert(key, value.to_owned()).is_some_and(|other| other != value) {
                bail!("{key} in {name} is not the one of the other file: remove the line from one of them");
            }
        }
    }
    for (name, key) in missing {
        let value = match values.get(key) {
            Some(value) => value.clone(),
            None => random(key)?,
        };
        append(&folder.join(name), key, &value).with_context(|| format!("cannot write {name}"))?;
        values.insert(key, value);
    }
    Ok(())
}

/// Only the owner may read the file.
fn append(path: &Path, key: &str, value: &str) -> Result<()> {
    let unfinished = fs::read_to_string(path).is_ok_and(|text| !text.is_empty() && !text.ends_with('\n'));
    let newline = if unfinished { "\n" } else { "" };
    let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    writeln!(file, "{newline}{key}=\"{value}\"")?;
    Ok(())
}

fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let value = line.trim().strip_prefix(key)?.trim_start().strip_prefix('=')?.trim();
        let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        Some(unquoted.unwrap_or(value)).filter(|value| !value.is_empty())
    })
}

fn random(key: &str) -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("the system gives no random bytes")?;
    match key {
        OMISE_SECRET_KEY => Ok(format!("skey_test_{}", base36(19)?)),
        // Omise shows webhook secrets in standard base64.
        WEBHOOK_SECRET => Ok(STANDARD.encode(bytes)),
        _ => Ok(URL_SAFE_NO_PAD.encode(bytes)),
    }
}

fn base36(length: usize) -> Result<String> {
    let mut text = String::new();
    while text.len() < length {
        let mut byte = [0];
        getrandom::fill(&mut byte).context("the system gives no random bytes")?;
        // 252 is the greatest multiple of 36 that a byte holds: every digit is as likely as any other.
        let [byte] = byte;
        if byte < 252 {
            text.extend(char::from_digit(u32::from(byte % 36), 36));
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn folder(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("xtask-secrets-{}-{name}", std::process::id()));
        fs::create_dir_all(folder.join("worker")).unwrap();
        fs::create_dir_all(folder.join("sandbox")).unwrap();
        folder
    }

    #[test]
    fn secrets_are_made_once_and_shared() {
        let folder = folder("once");
        ensure_in(&folder).unwrap();
        let worker = fs::read_to_string(folder.join("worker/.dev.vars")).unwrap();
        let sandbox = fs::read_to_string(folder.join("sandbox/.dev.vars")).unwrap();

        let key = value_of(&worker, OMISE_SECRET_KEY).unwrap();
        let random = key.strip_prefix("skey_test_").unwrap();
        assert_eq!(random.len(), 19);
        assert!(random.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
        assert_eq!(value_of(&sandbox, OMISE_SECRET_KEY), Some(key));
        assert_eq!(value_of(&sandbox, WEBHOOK_SECRET), value_of(&worker, WEBHOOK_SECRET));
        assert_eq!(value_of(&sandbox, SESSION_SECRET), None);
        assert_eq!(value_of(&sandbox, CONTROL_TOKEN).unwrap().len(), 43);
        assert_eq!(value_of(&worker, CONTROL_TOKEN), None);
        assert_eq!(value_of(&worker, SESSION_SECRET).unwrap().len(), 43);
        assert_ne!(value_of(&worker, SESSION_SECRET), value_of(&worker, LEDGER_KEY));
        assert_eq!(STANDARD.decode(value_of(&worker, WEBHOOK_SECRET).unwrap()).unwrap().len(), 32);
        let mode = fs::metadata(folder.join("worker/.dev.vars")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        ensure_in(&folder).unwrap();
        assert_eq!(fs::read_to_string(folder.join("worker/.dev.vars")).unwrap(), worker, "unchanged");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_is_there_stays_and_is_shared() {
        let folder = folder("there");
        fs::write(folder.join("sandbox/.dev.vars"), "# mine\nOMISE_SECRET_KEY=skey_test_mine").unwrap();
        ensure_in(&folder).unwrap();
        let worker = fs::read_to_string(folder.join("worker/.dev.vars")).unwrap();
        let sandbox = fs::read_to_string(folder.join("sandbox/.dev.vars")).unwrap();
        assert_eq!(value_of(&worker, OMISE_SECRET_KEY), Some("skey_test_mine"));
        assert!(sandbox.starts_with("# mine\nOMISE_SECRET_KEY=skey_test_mine\n"));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn two_values_of_one_secret_are_refused_without_showing_them() {
        let folder = folder("two");
        fs::write(folder.join("worker/.dev.vars"), "OMISE_SECRET_KEY=\"skey_test_1\"\n").unwrap();
        fs::write(folder.join("sandbox/.dev.vars"), "OMISE_SECRET_KEY=\"skey_test_2\"\n").unwrap();
        let error = format!("{:#}", ensure_in(&folder).unwrap_err());
        assert!(error.contains("OMISE_SECRET_KEY in sandbox/.dev.vars"), "{error}");
        assert!(!error.contains("skey_test_"), "{error}");
        fs::remove_dir_all(folder).unwrap();
    }
}
