//! `POST /linked_accounts`.
//!
//! Source: Omise "Linked Account Object API", "Create a linked account object".

use alloc::{borrow::ToOwned, format, string::String, vec::Vec};

use crate::{
    AccountType, CitizenId, CitizenIdError, DecodeRequestError, LinkedAccount, Metadata, Method, RawMetadata, Request,
    ResponseError, ReturnUri, attributes::Attributes, response,
};

/// The parameters of a create call, each parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateParams {
    /// Which bank.
    pub account_type: AccountType,
    /// Where the customer comes back to.
    pub return_uri: ReturnUri,
    /// The account holder's identity number, where the bank wants it.
    pub citizen_id: Option<CitizenId>,
    /// What the shop attaches; it cannot be changed later.
    pub metadata: Metadata,
}

impl CreateParams {
    /// The required parameters; the optional ones are empty.
    #[must_use]
    pub const fn new(account_type: AccountType, return_uri: ReturnUri) -> Self {
        Self { account_type, return_uri, citizen_id: None, metadata: Metadata::new() }
    }
}

/// The request that creates an account, its body form-encoded as documented.
///
/// Never send it twice: Omise does not document idempotency, so a second one may make a second account.
///
/// ```
/// use omise_linked_accounts::{AccountType, CreateParams, ReturnUri, create};
///
/// let return_uri = ReturnUri::parse("https://shop.example/return")?;
/// let request = create::encode_request(&CreateParams::new(AccountType::DirectDebitKbank, return_uri));
/// assert_eq!(request.path, "/linked_accounts");
/// let body = "type=direct_debit_kbank&return_uri=https%3A%2F%2Fshop.example%2Freturn";
/// assert_eq!(request.body.as_deref(), Some(body));
/// # Ok::<(), omise_linked_accounts::ReturnUriError>(())
/// ```
#[must_use]
pub fn encode_request(params: &CreateParams) -> Request {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("type", params.account_type.as_str());
    form.append_pair("return_uri", params.return_uri.as_str());
    if let Some(citizen_id) = &params.citizen_id {
        form.append_pair("citizen_id", citizen_id.expose());
    }
    for (name, value) in params.metadata.iter() {
        form.append_pair(&format!("metadata[{name}]"), value.as_text());
    }
    Request::new(Method::Post, "/linked_accounts".to_owned(), Some(form.finish()))
}

/// What a create request carries, before Omise's rules are applied to it.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Fields {
    /// The type, as sent.
    pub account_type: Option<String>,
    /// The return address, as sent.
    pub return_uri: Option<String>,
    /// The identity number, or why it is none.
    pub citizen_id: Option<Result<CitizenId, CitizenIdError>>,
    /// The metadata; form encoding makes every value a string.
    pub metadata: RawMetadata,
}

/// The longest body that is read, in bytes. The largest legal one is 15,000 characters of metadata at 12 bytes each (four
/// bytes of UTF-8, percent-encoded), 180 KB, and 25 KB of addresses and names beside it.
pub const MAX_BODY: usize = 256 * 1024;

/// Reads the body of a create request: `application/json`, or else form-encoded.
///
/// One rule for forms: each name at most once, metadata as `metadata[name]`. Unknown names are ignored, as Omise does.
///
/// # Errors
///
/// [`DecodeRequestError`] for what is longer than [`MAX_BODY`], for what is not JSON or not UTF-8, for a name that appears
/// twice, and for `metadata[a][b]` or `type[]`, which form encoding would nest.
pub fn decode_request(content_type: Option<&str>, body: &[u8]) -> Result<Fields, DecodeRequestError> {
    if body.len() > MAX_BODY {
        return Err(DecodeRequestError("the body is too long"));
    }
    let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/json") { decode_json(body) } else { decode_form(body) }
}

const TWICE: DecodeRequestError = DecodeRequestError("a parameter appears twice");

fn decode_json(body: &[u8]) -> Result<Fields, DecodeRequestError> {
    const WRONG: DecodeRequestError = DecodeRequestError("the body is not a JSON object of these parameters");

    let parameters = Attributes::parse(&["type", "return_uri", "citizen_id", "metadata"], body).map_err(|_| WRONG)?;
    let text = |name| parameters.optional::<String>(name).map_err(|_| WRONG);
    let metadata: RawMetadata = parameters.optional("metadata").map_err(|_| WRONG)?.unwrap_or_default();
    if metadata.has_duplicates() {
        return Err(TWICE);
    }
    Ok(Fields {
        account_type: text("type")?,
        return_uri: text("return_uri")?,
        citizen_id: text("citizen_id")?.as_deref().and_then(citizen_id),
        metadata,
    })
}

/// An empty number counts as none, as an empty type or address does.
fn citizen_id(text: &str) -> Option<Result<CitizenId, CitizenIdError>> {
    (!text.is_empty()).then(|| CitizenId::parse(text))
}

fn decode_form(body: &[u8]) -> Result<Fields, DecodeRequestError> {
    const NESTED: DecodeRequestError = DecodeRequestError("a parameter is nested or repeated with brackets");

    fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), DecodeRequestError> {
        if slot.replace(value).is_some() { Err(TWICE) } else { Ok(()) }
    }

    core::str::from_utf8(body).map_err(|_| DecodeRequestError("the body is not UTF-8"))?;
    let mut fields = Fields::default();
    let mut citizen = None;
    let mut seen = alloc::collections::BTreeSet::new();
    for (name, value) in form_urlencoded::parse(body) {
        let Some((base, bracketed)) = name.split_once('[') else {
            match &*name {
                "type" => once(&mut fields.account_type, value.into_owned())?,
                "return_uri" => once(&mut fields.return_uri, value.into_owned())?,
                "citizen_id" => once(&mut citizen, value.into_owned())?,
                "metadata" => return Err(NESTED),
                _ => {}
            }
            continue;
        };
        match (base, bracketed.strip_suffix(']')) {
            ("metadata", Some(key)) if !key.is_empty() && !key.contains(['[', ']']) => {
                if !seen.insert(key.to_owned()) {
                    return Err(TWICE);
                }
                let pushed = fields.metadata.push_string(key.to_owned(), &value);
                pushed.map_err(|_| DecodeRequestError("metadata cannot be kept"))?;
            }
            ("metadata" | "type" | "return_uri" | "citizen_id", _) => return Err(NESTED),
            _ => {}
        }
    }
    fields.citizen_id = citizen.as_deref().and_then(citizen_id);
    Ok(fields)
}

/// The body of a 200 answer.
#[must_use]
pub fn encode_response(account: &LinkedAccount) -> Vec<u8> {
    response::encode(account)
}

/// Reads the answer.
///
/// # Errors
///
/// [`ResponseError`] where Omise refused or failed, or the answer cannot be read. In the last case an account may exist.
pub fn decode_response(status: u16, body: &[u8]) -> Result<LinkedAccount, ResponseError> {
    response::decode(None, status, body)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metadata::Scalar;

    fn params() -> impl Strategy<Value = CreateParams> {
        let types = proptest::sample::select(AccountType::DIRECT_DEBIT.to_vec());
        let citizen = proptest::option::of("[A-Z]{2}[0-9]{7}");
        let metadata = proptest::collection::btree_map("[^\\[\\]]{1,8}", any::<String>(), 0..4);
        (types, "[a-z]{1,8}", citizen, metadata).prop_map(|(account_type, path, citizen, entries)| {
            let uri = ReturnUri::parse(&format!("https://shop.example/{path}?a=b&c=%26")).unwrap();
            let mut params = CreateParams::new(account_type, uri);
            params.citizen_id = citizen.map(|text| CitizenId::parse(&text).unwrap());
            for (name, value) in entries {
                params.metadata.insert(&name, Scalar::from(value.as_str())).unwrap();
            }
            params
        })
    }

    proptest! {
        #[test]
        fn the_form_carries_everything(params in params()) {
            let body = encode_request(&params).body.unwrap();
            let fields = decode_request(Some("application/x-www-form-urlencoded"), body.as_bytes()).unwrap();
            prop_assert_eq!(fields.account_type.as_deref(), Some(params.account_type.as_str()));
            prop_assert_eq!(fields.return_uri.as_deref(), Some(params.return_uri.as_str()));
            prop_assert_eq!(fields.citizen_id, params.citizen_id.clone().map(Ok));
            prop_assert_eq!(fields.metadata, RawMetadata::from(&params.metadata));
        }

        #[test]
        fn any_bytes_are_answered(json in any::<bool>(), body in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode_request(json.then_some("application/json"), &body);
        }
    }

    #[test]
    fn json_and_form_are_read_alike() {
        let form = b"type=direct_debit_scb&return_uri=https%3A%2F%2Fs.example%2F&metadata[order]=A+1&x=1";
        let json = br#"{"type":"direct_debit_scb","return_uri":"https://s.example/","metadata":{"order":"A 1"},"x":1}"#;
        assert_eq!(
            decode_request(None, form).unwrap(),
            decode_request(Some("application/json; charset=utf-8"), json).unwrap()
        );
    }

    #[test]
    fn one_rule_for_forms() {
        for body in [
            "type=a&type=b",
            "type[]=a",
            "metadata[a][b]=1",
            "metadata[]=1",
            "metadata=1",
            "metadata[a]=1&metadata[a]=2",
        ] {
            assert!(decode_request(None, body.as_bytes()).is_err(), "{body}");
        }
        assert!(decode_request(None, b"\xff=1").is_err());
        assert!(decode_request(None, &vec![b'a'; MAX_BODY]).is_ok());
        assert!(decode_request(None, &vec![b'a'; MAX_BODY + 1]).is_err());
        for body in [r#"{"type":"a","type":"b"}"#, r#"{"metadata":{"a":1,"a":2}}"#, r#"["a","b",null,{}]"#] {
            assert!(decode_request(Some("application/json"), body.as_bytes()).is_err(), "{body}");
        }
        assert!(decode_request(None, b"citizen_id=&citizen_id=").is_err());
        assert_eq!(decode_request(None, b"citizen_id=").unwrap().citizen_id, None);
        assert_eq!(decode_request(None, b"").unwrap(), Fields::default());
    }

    #[test]
    fn debug_shows_no_identity_number() {
        let fields = decode_request(None, b"citizen_id=1101700230708").unwrap();
        assert!(!format!("{fields:?}").contains("1101700230708"));
    }
}
