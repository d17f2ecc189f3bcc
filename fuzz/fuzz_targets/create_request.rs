//! Create requests as Omise receives them. Input: the body, read as a form and as JSON.

#![no_main]

use libfuzzer_sys::fuzz_target;
use omise_linked_accounts::{
    CitizenIdError,
    create::{Fields, decode_request},
};

const FORM: Option<&str> = Some("application/x-www-form-urlencoded");
const JSON: Option<&str> = Some("Application/JSON; charset=utf-8");

fuzz_target!(|body: &[u8]| {
    if let Ok(fields) = decode_request(FORM, body) {
        assert_eq!(decode_request(None, body).unwrap(), fields);
        assert_eq!(decode_request(FORM, form(&fields).as_bytes()).unwrap(), fields);
        // A form says nothing that JSON cannot say.
        assert_eq!(decode_request(JSON, json(&fields).as_bytes()).unwrap(), fields);
    }
    if let Ok(fields) = decode_request(JSON, body) {
        assert_eq!(decode_request(JSON, json(&fields).as_bytes()).unwrap(), fields);
    }
});

/// An identity number that is read in the same way.
fn citizen_id(fields: &Fields) -> Option<&str> {
    Some(match fields.citizen_id.as_ref()? {
        Ok(id) => id.expose(),
        Err(CitizenIdError::Checksum) => "1101700230709",
        Err(_) => "!",
    })
}

fn form(fields: &Fields) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    let given = [
        ("type", fields.account_type.as_deref()),
        ("return_uri", fields.return_uri.as_deref()),
        ("citizen_id", citizen_id(fields)),
    ];
    for (name, value) in given {
        if let Some(value) = value {
            form.append_pair(name, value);
        }
    }
    for (name, _) in fields.metadata.iter() {
        form.append_pair(&format!("metadata[{name}]"), &fields.metadata.string(name).unwrap());
    }
    form.finish()
}

fn json(fields: &Fields) -> String {
    let text = |value: Option<&str>| serde_json::to_string(&value).unwrap();
    format!(
        r#"{{"type":{},"return_uri":{},"citizen_id":{},"metadata":{}}}"#,
        text(fields.account_type.as_deref()),
        text(fields.return_uri.as_deref()),
        text(citizen_id(fields)),
        serde_json::to_string(&fields.metadata).unwrap(),
    )
}
