//! Compares the rows of `docs/coverage.md` with the values of the crate, and with Omise's documents where they lie beside the
//! project: they are not part of it.
//!
//! Each column of the page has its own check: rustdoc resolves the paths of "carried by", and `cargo xtask test` looks for the
//! tests of "proven by" among those that passed.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Once,
};

use omise_linked_accounts::{
    AccountType, ApiError, CreatePolicy, CreateRequest, ErrorBody, ErrorCode, Json, LinkedAccount, MAX_ACCOUNT,
    MAX_PAGE, Order, ResponseError, Status, create, list, retrieve, webhook::EventKey,
};

/// The page.
const PAGE: &str = "docs/coverage.md";
/// Folder of the documents.
const DOCUMENTS: &str = "../shared/spec";
/// Notes on the other pages, and the decisions.
const PAGES: &str = "../shared/omise-api.md";
/// Omise's own documents.
const OFFICIAL: [&str; 2] = ["001", "002"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A row of the table.
struct Row {
    /// Line of the page, from 1.
    line: usize,
    /// The cell "item".
    text: String,
    /// The text in backticks that the cell begins with: a quotation from the documents.
    literal: Option<String>,
    sources: Vec<String>,
    /// Cell "carried by".
    carrier_cell: String,
    /// The paths of that cell.
    carriers: Vec<String>,
}

impl Row {
    fn fault(&self, fault: impl std::fmt::Display) -> String {
        format!("{PAGE}:{}: {}: {fault}", self.line, self.text)
    }
}

/// Reads the page: the short names of the documents, and the rows of every table of items.
fn page(text: &str) -> (BTreeSet<String>, Vec<Row>) {
    let mut documents = BTreeSet::new();
    let mut rows = Vec::new();
    let mut header = "";
    for (i, line) in text.lines().enumerate() {
        let Some(cells) = line.strip_prefix('|').and_then(|line| line.strip_suffix('|')) else {
            header = "";
            continue;
        };
        let cells: Vec<&str> = cells.split('|').map(str::trim).collect();
        match header {
            "" => header = cells[0],
            _ if cells.iter().all(|cell| cell.trim_matches('-').is_empty()) => {}
            "short" => _ = documents.insert(cells[0].to_owned()),
            "item" => {
                assert_eq!(cells.len(), 4, "line {}: expected four cells", i + 1);
                rows.push(Row {
                    line: i + 1,
                    text: cells[0].to_owned(),
                    literal: cells[0].starts_with('`').then(|| spans(cells[0])[0].clone()),
                    sources: cells[1].split(", ").map(str::to_owned).collect(),
                    carrier_cell: cells[2].to_owned(),
                    carriers: cells[2].split(", ").filter_map(link).map(str::to_owned).collect(),
                });
            }
            other => panic!("line {}: a table of {other:?}", i + 1),
        }
    }
    (documents, rows)
}

/// Returns the texts between backticks.
fn spans(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Returns the path of a link such as [`LinkedAccount::id`]. rustdoc reads brackets around any other text as prose.
fn link(part: &str) -> Option<&str> {
    let path = part.strip_prefix("[`")?.strip_suffix("`]")?;
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    path.split("::").all(is_name).then_some(path)
}

/// Whether rustdoc checks all paths of a cell "carried by", or the cell says why there are none.
fn is_carrier_cell(cell: &str) -> bool {
    cell.strip_prefix("not carried: ").is_some_and(|reason| !reason.is_empty())
        || cell.split(", ").all(|part| part == "the sandbox" || link(part).is_some())
}

fn rows() -> Vec<Row> {
    let text = fs::read_to_string(root().join(PAGE)).expect(PAGE);
    let (documents, rows) = page(&text);
    assert!(rows.len() > 100, "only {} rows were found", rows.len());
    let unknown = |row: &Row| row.sources.iter().find(|source| !documents.contains(*source)).cloned();
    let faults: Vec<String> =
        rows.iter().filter_map(|row| Some(row.fault(unknown(row)? + " is no document"))).collect();
    assert_none(&faults);
    rows
}

#[track_caller]
fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn carriers_are_links_that_rustdoc_checks() {
    let expected = "expected links such as [`LinkedAccount::id`], `the sandbox`, or `not carried: ` and a reason";
    let faults: Vec<String> =
        rows().iter().filter(|row| !is_carrier_cell(&row.carrier_cell)).map(|row| row.fault(expected)).collect();
    assert_none(&faults);
    // A definition would send a link to an address that rustdoc does not check.
    let text = fs::read_to_string(root().join(PAGE)).unwrap();
    assert!(!text.lines().any(|line| line.trim_start().starts_with('[')), "{PAGE}: a link is defined");
}

#[test]
fn text_that_rustdoc_does_not_check_is_no_carrier() {
    for cell in ["[`Status`]", "[`Status::Pending`], the sandbox", "the sandbox", "not carried: a page for people"] {
        assert!(is_carrier_cell(cell), "{cell}");
    }
    for cell in [
        "",
        "—",
        "`Status`",
        "[Status]",
        "[`Status`] and `Mode`",
        "[`Status`], `Mode`",
        "[`a status`]",
        "[`Status::`]",
        "[`Status`](Mode)",
        "the Worker",
        "not carried: ",
    ] {
        assert!(!is_carrier_cell(cell), "{cell}");
    }
}

/// Compares rows with enums: the text of a code, status, type, event or order is read as the variant of its row, and a code has the
/// HTTP status of its row. A unit test of the crate looks for variants without a row.
#[test]
fn codes_statuses_and_types_are_what_the_table_says() {
    let rows = rows();
    let variant = |debug: String| debug.split('(').next().unwrap_or_default().to_owned();
    let mut faults = Vec::new();
    for row in &rows {
        let Some(text) = row.literal.as_deref() else { continue };
        let [path] = &row.carriers[..] else { continue };
        let Some((kind, carrier)) = path.rsplit_once("::") else { continue };
        if !carrier.starts_with(char::is_uppercase) {
            continue;
        }
        let found = match kind {
            "ErrorCode" => variant(format!("{:?}", ErrorCode::from(text))),
            "Status" => variant(format!("{:?}", Status::from(text))),
            "AccountType" => variant(format!("{:?}", AccountType::from(text))),
            "webhook::EventKey" => variant(format!("{:?}", EventKey::from(text))),
            "Order" => format!("{:?}", Order::from_name(text).unwrap()),
            _ => continue,
        };
        // the documents' words for a case that has no code of its own
        if found != carrier && !text.contains(' ') {
            faults.push(row.fault(format!("it is {found}")));
        }
        if kind == "ErrorCode"
            && let Some(status) = ErrorCode::from(text).http_status()
            && row.text != format!("`{text}` {status}")
        {
            faults.push(row.fault(format!("expected `{text}` {status}")));
        }
    }
    assert_none(&faults);
}

/// The text of a document by its number, white space made even; `None` where the documents are not at hand.
fn document(number: &str) -> Option<String> {
    static SAID: Once = Once::new();
    let Ok(entries) = fs::read_dir(root().join(DOCUMENTS)) else {
        SAID.call_once(|| println!("{DOCUMENTS} is absent: the table is not held against the documents"));
        return None;
    };
    let named = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(number));
    let path = entries.map(|entry| entry.unwrap().path()).find(named);
    Some(fs::read_to_string(path.unwrap_or_else(|| panic!("{DOCUMENTS} has no {number}"))).unwrap())
}

fn even(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether `item` stands in `text`, as a word on one side at least: the documents are copies that lost the borders of their
/// tables' cells. `…` stands for anything.
fn occurs(text: &str, item: &str) -> bool {
    if let Some((before, after)) = item.split_once('…') {
        let (before, after) = (before.trim_end(), after.trim_start());
        return text.match_indices(before).any(|(at, _)| text[at..].contains(after));
    }
    let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
    let found = |item: &str| {
        text.match_indices(item)
            .any(|(at, _)| edge(text[..at].chars().next_back()) || edge(text[at + item.len()..].chars().next()))
    };
    found(item) || found(&item.replace(' ', ""))
}

#[test]
fn items_stand_in_the_documents() {
    let pages = fs::read_to_string(root().join(PAGES)).map(|text| even(&text)).ok();
    let mut faults = Vec::new();
    for row in rows() {
        let Some(literal) = &row.literal else { continue };
        for source in &row.sources {
            let text = match source.as_str() {
                "ours" => continue,
                number if number.starts_with('0') => document(number).map(|text| even(&text)),
                _ => pages.clone(),
            };
            if text.is_some_and(|text| !occurs(&text, literal)) {
                faults.push(row.fault(format!("it does not stand in {source}")));
            }
        }
    }
    assert_none(&faults);
}

/// What the official pages name: attributes, parameters, keys and texts of the samples, HTTP statuses.
fn official_names(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for pair in lines.windows(2) {
        // Japanese edition: the name, and its type below it
        if matches!(pair[1], "string" | "boolean") {
            names.insert(pair[0].rsplit(' ').next().unwrap_or_default().to_owned());
        }
        // English edition: one line of names
        if pair[0] == "Linked account object attributes" && pair[1].ends_with('|') {
            let names_of_line = pair[1].split(|c: char| !c.is_alphanumeric() && c != '_');
            names.extend(names_of_line.filter(|name| !name.is_empty()).map(str::to_owned));
        }
    }
    for line in &lines {
        if let Some((status, _)) = line.split_once(" - ").filter(|(s, _)| s.len() == 3 && s.parse::<u16>().is_ok()) {
            names.insert(status.to_owned());
        }
    }
    let quoted: Vec<&str> = text.split('"').collect();
    for (i, part) in quoted.iter().enumerate().skip(1).step_by(2) {
        let follows = |text: &str| quoted.get(i + 1).is_some_and(|after| after.trim_start().starts_with(text));
        if follows(":") && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
            names.insert((*part).to_owned());
            if matches!(*part, "code" | "message") {
                names.extend(quoted.get(i + 2).map(|value| (*value).to_owned()));
            }
        }
    }
    // the one sample whose sentence has an id in it
    names.into_iter().map(|name| without_id(&name)).collect()
}

/// `linked account … was not found`, as the table writes it.
fn without_id(sentence: &str) -> String {
    let word = |word: &str| if word.starts_with("lnac_") { "…".to_owned() } else { word.to_owned() };
    sentence.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn has_row(rows: &[Row], literal: &str, source: &str) -> bool {
    rows.iter().any(|row| row.literal.as_deref() == Some(literal) && row.sources.iter().any(|s| s == source))
}

#[test]
fn every_name_of_the_official_pages_has_a_row() {
    let rows = rows();
    let mut faults = Vec::new();
    for number in OFFICIAL {
        let Some(text) = document(number) else { return };
        let names = official_names(&text);
        assert!(names.len() > 30, "only {} names were found in {number}: {names:?}", names.len());
        for name in names {
            // `answer` is a key of the sample of metadata
            if name != "answer" && !has_row(&rows, &name, number) {
                faults.push(format!("{PAGE}: there is no row of `{name}` with {number}"));
            }
        }
    }
    // the parameters are in the fuller edition
    let parameters = official_names(&document(OFFICIAL[1]).unwrap());
    assert!(["citizen_id", "return_uri", "id"].iter().all(|name| parameters.contains(*name)), "{parameters:?}");
    // the unofficial reference lists the object's fields with bullets
    for line in document("000").unwrap().lines() {
        let Some((name, _)) = line.trim().strip_prefix("• ").and_then(|line| line.split_once(" - ")) else {
            continue;
        };
        if !has_row(&rows, name, "000") {
            faults.push(format!("{PAGE}: there is no row of `{name}` with 000"));
        }
    }
    assert_none(&faults);
}

#[test]
fn names_are_found_in_both_editions() {
    let english = "Linked account object attributes\nobject id |\n404 - Not found\n{ \"object\": \"error\", \"code\": \"not_found\", \
                   \"message\": \"linked account lnac_1 was not found\" }";
    let names = ["404", "code", "id", "linked account … was not found", "message", "not_found", "object"];
    assert!(official_names(english).iter().eq(names), "{:?}", official_names(english));
    let japanese = "livemode\nboolean\nIdentifies\n\n[Optional] citizen_id\nstring\nThe ID";
    assert!(official_names(japanese).iter().eq(["citizen_id", "livemode"]), "{:?}", official_names(japanese));
}

#[test]
fn items_are_found_in_text_without_borders() {
    for (text, item, found) in [
        ("statusSTRING status", "status", true),
        ("\nstatusCurrent", "status", true),
        ("xstatusx", "status", false),
        ("POST/linked_accountsCreate", "POST /linked_accounts", true),
        ("linked account lnac_1 was not found", "linked account … was not found", true),
        ("linked account lnac_1 was found", "linked account … was not found", false),
    ] {
        assert_eq!(occurs(&even(text), item), found, "{text}: {item}");
    }
}

/// Every sample of the official pages is read, and what is read of it is all of it.
#[test]
fn the_official_samples_are_read() {
    let (mut accounts, mut errors) = (0, 0);
    for number in OFFICIAL {
        let Some(text) = document(number) else { return };
        for (at, _) in text.match_indices('{') {
            let Some(Ok(sample)) =
                serde_json::Deserializer::from_str(&text[at..]).into_iter::<serde_json::Value>().next()
            else {
                continue;
            };
            let json = sample.to_string();
            match sample["object"].as_str() {
                Some("linked_account") => {
                    let account: LinkedAccount = serde_json::from_str(&json).unwrap();
                    assert_eq!(serde_json::to_value(&account).unwrap(), sample);
                    accounts += 1;
                }
                Some("error") => {
                    let code = ErrorCode::from(sample["code"].as_str().unwrap());
                    let error = ApiError::new(code.http_status().unwrap(), code, sample["message"].as_str().unwrap());
                    assert_eq!(ApiError::decode(error.status, json.as_bytes()), error);
                    assert_eq!(serde_json::from_slice::<serde_json::Value>(&error.encode()).unwrap(), sample);
                    errors += 1;
                }
                _ if sample["status"] == 500 => {
                    assert_eq!(ApiError::decode(500, json.as_bytes()).body, ErrorBody::Rails);
                    errors += 1;
                }
                // metadata within an account
                _ => {}
            }
        }
    }
    assert!(accounts >= 5 && errors >= 20, "only {accounts} accounts and {errors} errors were found");
}

#[test]
fn unknown_attributes_are_dropped_and_optional_ones_kept() {
    let known = serde_json::json!({
        "object": "linked_account", "id": "lacct_test_5xuy4w91xqz7d1w9u0t", "livemode": false, "location": null,
        "registration_uri": null, "return_uri": null, "type": "individual", "status": "verified", "last_digits": null,
        "metadata": { "region": "north" }, "failure_code": null, "failure_message": null, "registered_at": null,
        "expires_at": null, "created_at": "2024-06-03T04:11:14Z", "name": "Malee", "email": "malee@shop.example",
        "capabilities": ["card_payments", "transfers", "refunds"],
    });
    let mut sent = known.clone();
    sent["brand_new"] = serde_json::json!({ "deep": [1] });
    let account: LinkedAccount = serde_json::from_value(sent).unwrap();
    assert_eq!(account.email.as_deref(), Some("malee@shop.example"));
    assert_eq!(serde_json::to_value(&account).unwrap(), known);
}

#[test]
fn numbers_and_booleans_travel_as_text() {
    let json =
        br#"{"type":"direct_debit_scb","return_uri":"https://shop.example/","metadata":{"n":17,"f":0.5,"b":true}}"#;
    let request = CreateRequest::validate(Json::parse(json).unwrap(), &CreatePolicy::unrestricted()).unwrap();
    let body = create::encode_request(&request.params).body.unwrap();
    let fields = create::decode_request(None, body.as_bytes()).unwrap();
    assert_eq!(serde_json::to_string(&fields.metadata).unwrap(), r#"{"n":"17","f":"0.5","b":"true"}"#);
}

#[test]
fn answers_that_are_too_long_are_unreadable() {
    let padded = |json: &str, most: usize| format!("{json}{}", " ".repeat(most - json.len()));
    let account = r#"{"object":"linked_account","id":"lnac_test_1","livemode":false,"type":"x","status":"x","created_at":"2024-06-03T04:11:14Z"}"#;
    let id = "lnac_test_1".parse().unwrap();
    assert!(retrieve::decode_response(&id, 200, padded(account, MAX_ACCOUNT).as_bytes()).is_ok());
    let too_long = retrieve::decode_response(&id, 200, padded(account, MAX_ACCOUNT + 1).as_bytes());
    assert!(matches!(too_long, Err(ResponseError::Unreadable(_))));

    let page = r#"{"object":"list","data":[],"limit":20,"offset":0,"total":0}"#;
    assert!(list::decode_response(200, padded(page, MAX_PAGE).as_bytes()).is_ok());
    let too_long = list::decode_response(200, padded(page, MAX_PAGE + 1).as_bytes());
    assert!(matches!(too_long, Err(ResponseError::Unreadable(_))));
}
