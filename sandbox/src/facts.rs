//! Facts for other languages: the TypeScript tests read them from `target/facts/sandbox.json`.

use std::{fs, path::Path};

use omise_linked_accounts::{Timestamp, list, search};
use serde_json::json;

use crate::{selection::Selection, store::LAPSE_ALL};

#[test]
fn facts_are_written() {
    let facts = json!({ "statements": statements() });
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/facts");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("sandbox.json"), format!("{facts:#}\n")).unwrap();
}

/// The statements whose plans are checked: lists and searches in their forms, and the one that lets accounts expire.
fn statements() -> Vec<String> {
    let now = Timestamp::parse("2024-06-03T04:11:14Z").unwrap();
    let lists = ["", "from=2024-06-03T00:00:00Z", "order=reverse_chronological"]
        .map(|query| Selection::list(&list::decode_request(query).unwrap(), now));
    let searches = [
        "",
        "order=reverse_chronological",
        "filters[created]=2024-06-03",
        "filters[status]=pending",
        "filters[type]=direct_debit_scb&order=reverse_chronological",
        "filters[type]=direct_debit_scb&filters[status]=pending&filters[created]=2024-06-03&query=x",
        "query=x",
    ]
    .map(|query| Selection::search(&search::decode_request(query).unwrap()));

    let mut statements = vec![LAPSE_ALL.to_owned()];
    for selection in lists.iter().chain(&searches) {
        for statement in [selection.count(), selection.part()] {
            if !statements.contains(&statement) {
                statements.push(statement);
            }
        }
    }
    statements
}
