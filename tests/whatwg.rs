//! Every address that [`ReturnUri`] accepts means the same to the WHATWG parser, which is what browsers follow: scheme, host,
//! port and path agree. The other parser is Node's `URL`.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::{
    fmt::Write as _,
    io::Write as _,
    process::{Command, Stdio},
};

use omise_linked_accounts::ReturnUri;
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};

/// Reads an address a line; writes scheme, host and port, path, query and fragment of each, or `refused`.
const SCRIPT: &str = r#"
const lines = require("node:fs").readFileSync(0, "utf8").split("\n").slice(0, -1);
for (const line of lines) {
  const url = URL.canParse(line) ? new URL(line) : null;
  console.log(url ? [url.origin, url.username, url.pathname, url.search, url.hash].join("\t") : "refused");
}
"#;

/// Addresses at the edge: what is right, with things put in that parsers are known to disagree about.
fn address() -> impl Strategy<Value = String> {
    let scheme = prop_oneof![8 => Just("https"), 4 => Just("http"), 1 => Just("HTTPS"), 1 => Just("ftp")];
    let slashes = prop_oneof![12 => Just("://"), 1 => Just(":/"), 1 => Just(":///"), 1 => Just(":\\\\")];
    let user = prop_oneof![12 => Just(""), 1 => Just("user@"), 1 => Just("@"), 1 => Just("a:b@")];
    let host = prop_oneof![
        4 => "[a-zA-Z0-9-]{1,6}(\\.[a-zA-Z0-9-]{1,6}){0,3}",
        2 => "[0-9]{1,3}(\\.[0-9]{1,3}){0,4}",
        1 => "0[xX][0-9a-fA-F]{0,4}(\\.[0-9]{1,3}){0,3}",
        1 => "(xn--)?[a-z0-9-]{1,8}\\.example",
        1 => "[a-z0-9._~%!$&'()*+,;=-]{1,10}",
        2 => Just("localhost".to_owned()),
        2 => Just("127.0.0.1".to_owned()),
        1 => "\\[[0-9a-f:.]{1,12}\\]",
        1 => "[a-z]{1,4}\\.?",
    ];
    let port = prop_oneof![8 => Just(String::new()), 4 => "[0-9]{0,6}".prop_map(|p| format!(":{p}")), 1 => Just(":x".to_owned())];
    let path = prop_oneof![
        4 => "(/[a-zA-Z0-9._~!$&'()*+,;=:@-]{0,6}){0,4}",
        4 => "(/(\\.|\\.\\.|%2[eEfF]|%5[cC]|%[0-9a-fA-F]{2}|%[g-z]|a|\\\\|\\t| ){0,4}){0,4}",
    ];
    let query = prop_oneof![4 => Just(String::new()), 2 => "\\?[a-zA-Z0-9=&%'\"<>{}|^`/?#\\[\\]-]{0,10}"];
    let junk =
        prop_oneof![12 => Just(""), 1 => Just("#x"), 1 => Just("\t"), 1 => Just(" "), 1 => Just("ก"), 1 => Just("。")];
    (scheme, slashes, user, host, port, path, query, junk)
        .prop_map(|(s, sl, u, h, po, pa, q, j)| format!("{s}{sl}{u}{h}{po}{pa}{q}{j}"))
}

#[test]
fn what_is_accepted_means_the_same_to_browsers() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(256_u32) * 100;
    let mut runner = TestRunner::new(Config::default());
    let strategy = address();
    let mut input = String::new();
    let mut accepted = Vec::new();
    for _ in 0..cases {
        let text = strategy.new_tree(&mut runner).unwrap().current();
        if let Ok(uri) = ReturnUri::parse(&text) {
            // both what came and what leaves: a browser may be given either
            for form in [text, uri.as_str().to_owned()] {
                writeln!(input, "{form}").unwrap();
                accepted.push((form, uri.clone()));
            }
        }
    }
    assert!(
        accepted.len() > cases as usize / 50,
        "only {} of {cases} were accepted: too few to prove anything",
        accepted.len()
    );

    let node = Command::new("node").args(["-e", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut node = node.expect("Node, version 20 or newer, is needed on PATH");
    let mut stdin = node.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = node.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<&str> = output.lines().collect();
    assert_eq!(answers.len(), accepted.len());

    for ((form, uri), answer) in accepted.iter().zip(answers) {
        let fields: Vec<&str> = answer.split('\t').collect();
        let [origin, user, path, query, fragment] = fields[..] else {
            panic!("{form}: the WHATWG parser says {answer}")
        };
        assert_eq!(origin, uri.origin(), "{form}");
        assert_eq!((user, fragment), ("", ""), "{form}");
        assert_eq!(path, uri.path(), "{form}");
        // `'` is the one character of a query that the WHATWG parser would encode
        let ours =
            uri.query().filter(|q| !q.is_empty()).map(|q| format!("?{}", q.replace('\'', "%27"))).unwrap_or_default();
        assert_eq!(query, ours, "{form}");
    }
}
