//! What a customer's page may ask the Worker to create.

use alloc::vec::Vec;

use crate::{
    AccountType, CitizenId, CreateParams, Issue, IssueCode, Json, Kind, Metadata, ReturnUri, ReturnUriError,
    ReturnUriPolicy, ValidationError,
    issue::Words,
    metadata::{Scalar, string_chars},
};

/// What an operator lets customers create, beyond what the API itself demands.
#[derive(Clone, Debug, Default)]
pub struct CreatePolicy {
    types: Option<Vec<AccountType>>,
    return_uris: Option<ReturnUriPolicy>,
}

impl CreatePolicy {
    /// Only accounts of these types, returning to these addresses.
    #[must_use]
    pub const fn new(types: Vec<AccountType>, return_uris: ReturnUriPolicy) -> Self {
        Self { types: Some(types), return_uris: Some(return_uris) }
    }

    /// Every direct-debit type and every well-formed address: for a form, which does not know the operator's lists. The
    /// Worker never uses it.
    #[must_use]
    pub const fn unrestricted() -> Self {
        Self { types: None, return_uris: None }
    }

    /// The types that may be linked, in the order in which they were given.
    #[must_use]
    pub fn types(&self) -> &[AccountType] {
        self.types.as_deref().unwrap_or(&AccountType::DIRECT_DEBIT)
    }
}

/// The Worker's create request: Omise's parameters and `replace_pending`.
///
/// ```
/// use omise_linked_accounts::{CreatePolicy, CreateRequest, Json};
///
/// let json = Json::parse(br#"{"type":"direct_debit_scb","return_uri":"https://shop.example/","citizen_id":"12"}"#)?;
/// let error = CreateRequest::validate(json, &CreatePolicy::unrestricted()).unwrap_err();
/// assert_eq!(error.issues()[0].field, "citizen_id");
/// # Ok::<(), omise_linked_accounts::JsonError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateRequest {
    /// What to ask Omise for.
    pub params: CreateParams,
    /// Whether to create another account although one of this type is pending.
    pub replace_pending: bool,
}

impl CreateRequest {
    /// The most characters that a customer's metadata may have: what is left of [`Metadata::MAX_CHARS`] beside the Worker's
    /// stamp, `,"linked_accounts_stamp":"<102 characters>"`.
    pub const MAX_METADATA_CHARS: usize =
        Metadata::MAX_CHARS - (1 + 2 + Metadata::STAMP.len() + 1 + 2 + Metadata::STAMP_CHARS);

    /// Reads a request: an object with `type`, `return_uri` and, optionally, `citizen_id`, `metadata` and
    /// `replace_pending`. An optional field may be null, which is as if it were absent.
    ///
    /// # Errors
    ///
    /// [`ValidationError`] with every issue at once, in the order of the fields above, unknown fields last.
    pub fn validate(json: Json, policy: &CreatePolicy) -> Result<Self, ValidationError> {
        let Checked { account_type, return_uri, citizen_id, metadata, replace_pending } = check(json, policy)?;
        let scalar = |value: Json| match value {
            Json::String(text) => Some(Scalar::String(text.into())),
            Json::Bool(value) => Some(Scalar::Bool(value)),
            Json::Number(number) => number.map(Scalar::Number),
            _ => None,
        };
        let entries = metadata.into_iter().filter_map(|(name, value)| Some((name.into(), scalar(value)?)));
        let metadata = Metadata::from_checked(entries.collect());
        Ok(Self { params: CreateParams { account_type, return_uri, citizen_id, metadata }, replace_pending })
    }
}

/// The values of a request that keeps the rules.
pub(crate) struct Checked<S> {
    account_type: AccountType,
    return_uri: ReturnUri,
    citizen_id: Option<CitizenId>,
    /// Names that differ, and values that are a [`Scalar`] each.
    metadata: Vec<(S, Json<S>)>,
    replace_pending: bool,
}

/// Applies the rules, as [`CreateRequest::validate`] says. A form needs no more than this.
pub(crate) fn check<S: AsRef<str>>(json: Json<S>, policy: &CreatePolicy) -> Result<Checked<S>, ValidationError> {
    let members = match json {
        Json::Object(members) => members,
        other => return Err(wrong_type("", Kind::Object, &other).into()),
    };
    let mut fields = Fields::default();
    let mut strangers = Vec::new();
    for (name, value) in members {
        let name = name.as_ref();
        let slot = match name {
            "type" => &mut fields.account_type,
            "return_uri" => &mut fields.return_uri,
            "citizen_id" => &mut fields.citizen_id,
            "metadata" => &mut fields.metadata,
            "replace_pending" => &mut fields.replace_pending,
            _ if strangers.len() >= ValidationError::MAX_ISSUES => continue,
            _ => {
                strangers.push(Issue::new(name, IssueCode::UnknownField, Words::NotAField));
                continue;
            }
        };
        slot.push(value);
    }

    let mut issues = Vec::new();
    let account_type = fields.account_type.text("type", true, &mut issues).and_then(|text| {
        let account_type = AccountType::from(text.as_ref());
        let enabled = policy.types.as_ref().is_none_or(|types| types.contains(&account_type));
        if account_type.is_direct_debit() && enabled {
            return Some(account_type);
        }
        refuse(&mut issues, "type", IssueCode::NotSupported, Words::OneOf(policy.types.clone()));
        None
    });
    let return_uri = fields.return_uri.text("return_uri", true, &mut issues).and_then(|text| {
        let listed = |uri: ReturnUri| match &policy.return_uris {
            Some(list) if !list.allows(&uri) => Err((IssueCode::NotAllowed, Words::NotOnTheList)),
            _ => Ok(uri),
        };
        let found = well_formed(text.as_ref()).and_then(listed);
        found.map_err(|(code, words)| refuse(&mut issues, "return_uri", code, words)).ok()
    });
    let citizen_id = fields.citizen_id.text("citizen_id", false, &mut issues).and_then(|text| {
        let parsed = CitizenId::parse(text.as_ref());
        parsed.map_err(|e| refuse(&mut issues, "citizen_id", IssueCode::Invalid, Words::CitizenId(e))).ok()
    });
    let metadata = fields.metadata.take("metadata", &mut issues).map_or_else(Vec::new, |json| match json {
        Json::Object(entries) => {
            check_metadata(&entries, &mut issues);
            entries
        }
        other => {
            issues.push(wrong_type("metadata", Kind::Object, &other));
            Vec::new()
        }
    });
    let replace_pending = match fields.replace_pending.take("replace_pending", &mut issues) {
        None => false,
        Some(Json::Bool(value)) => value,
        Some(other) => {
            issues.push(wrong_type("replace_pending", Kind::Bool, &other));
            false
        }
    };
    issues.extend(strangers);

    ValidationError::check(issues)?;
    match (account_type, return_uri) {
        (Some(account_type), Some(return_uri)) => {
            Ok(Checked { account_type, return_uri, citizen_id, metadata, replace_pending })
        }
        // unreachable: a missing field is an issue
        _ => Err(Issue::new("", IssueCode::Required, Words::FieldMissing).into()),
    }
}

/// The values found for each field: none, one, or more than allowed.
struct Fields<S> {
    account_type: Field<S>,
    return_uri: Field<S>,
    citizen_id: Field<S>,
    metadata: Field<S>,
    replace_pending: Field<S>,
}

impl<S> Default for Fields<S> {
    fn default() -> Self {
        let field = || Field(None, false);
        Self {
            account_type: field(),
            return_uri: field(),
            citizen_id: field(),
            metadata: field(),
            replace_pending: field(),
        }
    }
}

struct Field<S>(Option<Json<S>>, bool);

impl<S: AsRef<str>> Field<S> {
    fn push(&mut self, value: Json<S>) {
        self.1 |= self.0.replace(value).is_some();
    }

    /// The one value; `None` where there is none, it is null, or there are several.
    fn take(self, name: &str, issues: &mut Vec<Issue>) -> Option<Json<S>> {
        if self.1 {
            refuse(issues, name, IssueCode::Duplicate, Words::FieldTwice);
            return None;
        }
        self.0.filter(|value| !matches!(value, Json::Null))
    }

    fn text(self, name: &str, required: bool, issues: &mut Vec<Issue>) -> Option<S> {
        let twice = self.1;
        match self.take(name, issues) {
            Some(Json::String(text)) if !(required && text.as_ref().is_empty()) => Some(text),
            None if !required || twice => None,
            None | Some(Json::String(_)) => {
                refuse(issues, name, IssueCode::Required, Words::FieldMissing);
                None
            }
            Some(other) => {
                issues.push(wrong_type(name, Kind::String, &other));
                None
            }
        }
    }
}

#[inline(never)]
fn refuse(issues: &mut Vec<Issue>, field: &str, code: IssueCode, words: Words) {
    issues.push(Issue::new(field, code, words));
}

fn wrong_type<S>(field: &str, expected: Kind, found: &Json<S>) -> Issue {
    Issue::new(field, IssueCode::WrongType, Words::WrongType { expected, found: found.kind() })
}

/// An address as any shop may use it: whether it is on this shop's list is the policy's to say.
pub(crate) fn well_formed(text: &str) -> Result<ReturnUri, (IssueCode, Words)> {
    let uri = ReturnUri::parse(text).map_err(|error| {
        let code = if error == ReturnUriError::TooLong { IssueCode::TooLong } else { IssueCode::Invalid };
        (code, Words::ReturnUri(error))
    })?;
    if uri.has_link_state() { Err((IssueCode::Reserved, Words::OwnLinkState)) } else { Ok(uri) }
}

fn check_metadata<S: AsRef<str>>(entries: &[(S, Json<S>)], issues: &mut Vec<Issue>) {
    let mut chars = 2;
    for (at, (name, value)) in entries.iter().enumerate() {
        // The limit is passed already: that is issue enough, and it bounds the search for duplicates below to 3,000 names
        // (an entry takes five characters at least).
        if chars > CreateRequest::MAX_METADATA_CHARS || issues.len() >= ValidationError::MAX_ISSUES {
            break;
        }
        let name = name.as_ref();
        let before = entries.get(..at).unwrap_or_default();
        let found = if name.starts_with(Metadata::RESERVED_PREFIX) {
            Err((IssueCode::Reserved, Words::NameReserved))
        } else if !Metadata::is_name(name) {
            Err((IssueCode::Invalid, Words::NameForm))
        } else if before.iter().any(|(other, _)| other.as_ref() == name) {
            Err((IssueCode::Duplicate, Words::NameTwice))
        } else {
            value_chars(value)
        };
        match found {
            Ok(value) => chars += string_chars(name) + 1 + value + usize::from(chars > 2),
            // put together by hand: whatever formats brings the formatter to the browser
            Err((code, words)) => refuse(issues, &["metadata.", name].concat(), code, words),
        }
    }
    if chars > CreateRequest::MAX_METADATA_CHARS {
        let words = Words::TooManyChars(CreateRequest::MAX_METADATA_CHARS);
        refuse(issues, "metadata", IssueCode::TooLong, words);
    }
}

/// The characters that a value of metadata takes in compact JSON.
fn value_chars<S: AsRef<str>>(value: &Json<S>) -> Result<usize, (IssueCode, Words)> {
    match value {
        Json::String(text) => Ok(string_chars(text.as_ref())),
        Json::Bool(value) => Ok(if *value { 4 } else { 5 }),
        Json::Number(Some(number)) => Ok(number.as_str().len()),
        Json::Number(None) => Err((IssueCode::Invalid, Words::NumberInexact)),
        other => Err((IssueCode::WrongType, Words::NoScalar { found: other.kind() })),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Mode;

    fn policy() -> CreatePolicy {
        let prefix = ReturnUri::parse("https://shop.example/return").unwrap();
        CreatePolicy::new(vec![AccountType::DirectDebitScb], ReturnUriPolicy::new([prefix], Mode::Live))
    }

    fn issues(json: &str) -> Vec<(String, IssueCode)> {
        let json = Json::parse(json.as_bytes()).unwrap();
        match CreateRequest::validate(json, &policy()) {
            Ok(_) => Vec::new(),
            Err(error) => error.into_issues().into_iter().map(|i| (i.field, i.code)).collect(),
        }
    }

    #[test]
    fn a_good_request() {
        let json = br#"{"type":"direct_debit_scb","return_uri":"https://shop.example/return?a=1","citizen_id":null,
            "metadata":{"order":17,"gift":true,"__proto__":"x"},"replace_pending":true}"#;
        let request = CreateRequest::validate(Json::parse(json).unwrap(), &policy()).unwrap();
        assert!(request.replace_pending);
        assert_eq!(request.params.citizen_id, None);
        assert_eq!(
            serde_json::to_string(&request.params.metadata).unwrap(),
            r#"{"order":17,"gift":true,"__proto__":"x"}"#
        );
    }

    #[test]
    fn all_issues_at_once_in_field_order() {
        use IssueCode as C;
        let found = issues(
            r#"{"livemode":true,"replace_pending":"yes","metadata":{"a":null,"b":{},"linked_accounts_x":1,"c[d]":1,"e":1,"e":2,
            "n":9007199254740993},"citizen_id":7,"return_uri":"https://evil.example/return","type":"direct_debit_bbl"}"#,
        );
        let expected = [
            ("type", C::NotSupported),
            ("return_uri", C::NotAllowed),
            ("citizen_id", C::WrongType),
            ("metadata.a", C::WrongType),
            ("metadata.b", C::WrongType),
            ("metadata.linked_accounts_x", C::Reserved),
            ("metadata.c[d]", C::Invalid),
            ("metadata.e", C::Duplicate),
            ("metadata.n", C::Invalid),
            ("replace_pending", C::WrongType),
            ("livemode", C::UnknownField),
        ];
        assert_eq!(found, expected.map(|(field, code)| (field.to_owned(), code)));
    }

    #[test]
    fn one_issue_each() {
        use IssueCode as C;
        let good = r#""type":"direct_debit_scb","return_uri":"https://shop.example/return""#;
        let long =
            format!("{{{good},\"metadata\":{{\"k\":\"{}\"}}}}", "a".repeat(CreateRequest::MAX_METADATA_CHARS - 7));
        for (json, field, code) in [
            ("[]", "", C::WrongType),
            (r#"{"return_uri":"https://shop.example/return"}"#, "type", C::Required),
            (r#"{"type":"","return_uri":"https://shop.example/return"}"#, "type", C::Required),
            (r#"{"type":null,"return_uri":"https://shop.example/return"}"#, "type", C::Required),
            (r#"{"type":"direct_debit_scb"}"#, "return_uri", C::Required),
            (r#"{"type":"direct_debit_scb","return_uri":"/return"}"#, "return_uri", C::Invalid),
            (
                r#"{"type":"direct_debit_scb","return_uri":"https://shop.example/return?link_state=x"}"#,
                "return_uri",
                C::Reserved,
            ),
            (&format!(r#"{{{good},"type":"direct_debit_scb"}}"#), "type", C::Duplicate),
            (&format!(r#"{{{good},"metadata":"x"}}"#), "metadata", C::WrongType),
            (&format!(r#"{{{good},"metadata":{{"":1}}}}"#), "metadata.", C::Invalid),
            (&format!(r#"{{{good},"citizen_id":"1101700230709"}}"#), "citizen_id", C::Invalid),
            (&long, "metadata", C::TooLong),
        ] {
            assert_eq!(issues(json), [(field.to_owned(), code)], "{json:.80}");
        }
        assert_eq!(issues(&long.replace("aa\"", "a\"")), []);
    }

    #[test]
    fn the_longest_metadata_fits_with_the_stamp() {
        let text = "a".repeat(CreateRequest::MAX_METADATA_CHARS - 8);
        let json = format!(
            r#"{{"type":"direct_debit_scb","return_uri":"https://shop.example/return","metadata":{{"k":"{text}"}}}}"#
        );
        let request = CreateRequest::validate(Json::parse(json.as_bytes()).unwrap(), &policy()).unwrap();
        let mut metadata = request.params.metadata;
        assert_eq!(metadata.json_chars(), CreateRequest::MAX_METADATA_CHARS);
        metadata.insert(Metadata::STAMP, Scalar::from("A".repeat(Metadata::STAMP_CHARS).as_str())).unwrap();
        assert_eq!(metadata.json_chars(), Metadata::MAX_CHARS);
    }

    #[test]
    fn a_hostile_body_gets_a_hundred_issues_at_most() {
        for member in [r#""x":1,"#, r#""metadata":{"#] {
            let many = match member {
                r#""x":1,"# => member.repeat(20_000),
                _ => format!("{member}{}\"a\":1}},", r#""a":1,"#.repeat(20_000)),
            };
            let found = issues(&format!("{{{many}\"type\":7}}"));
            assert_eq!(found.len(), ValidationError::MAX_ISSUES, "{member}");
            assert_eq!(found[0], ("type".to_owned(), IssueCode::WrongType));
        }
    }

    proptest! {
        #[test]
        fn a_number_that_would_change_is_refused(n in 9_007_199_254_740_992_u64..) {
            let json = format!(r#"{{"type":"direct_debit_scb","return_uri":"https://shop.example/return","metadata":{{"n":{n}}}}}"#);
            prop_assert_eq!(issues(&json), [("metadata.n".to_owned(), IssueCode::Invalid)]);
        }
    }
}
