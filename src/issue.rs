//! What is wrong with an input, field by field.

use alloc::{borrow::Cow, string::String, vec, vec::Vec};
use core::{error::Error, fmt};

use serde::{Serialize, Serializer};

use crate::{AccountType, CitizenIdError, Kind, ReturnUriError};

/// One thing that is wrong with an input, in the shape a form can show: as JSON, `{ field, code, message }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Issue {
    /// The field, by its wire name; an entry of metadata is `metadata.name`.
    pub field: String,
    /// What is wrong, for programs.
    pub code: IssueCode,
    message: Message,
}

impl Issue {
    /// An issue with `field`. Control characters are dropped from the name, which may be a stranger's, and it is cut at 100
    /// characters.
    #[must_use]
    pub fn new(field: &str, code: IssueCode, message: impl Into<Message>) -> Self {
        // one allocation: a form is judged at each keystroke
        let mut shown = String::with_capacity(field.len().min(400));
        shown.extend(field.chars().filter(|c| !c.is_control()).take(100));
        Self { field: shown, code, message: message.into() }
    }

    /// What is wrong and what was expected, in English, without the value.
    #[must_use]
    pub const fn message(&self) -> &Message {
        &self.message
    }
}

/// The words of an [`Issue`].
///
/// They are put together when they are shown: a browser, which has words of its own in the customer's language, carries none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message(pub(crate) Words);

/// What a [`Message`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Words {
    Plain(Cow<'static, str>),
    WrongType {
        expected: Kind,
        found: Kind,
    },
    NoScalar {
        found: Kind,
    },
    NotAField,
    FieldTwice,
    FieldMissing,
    /// Of all where there is no list.
    OneOf(Option<Vec<AccountType>>),
    ReturnUri(ReturnUriError),
    OwnLinkState,
    NotOnTheList,
    CitizenId(CitizenIdError),
    NameReserved,
    NameForm,
    NameTwice,
    NumberInexact,
    TooManyChars(usize),
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Words::Plain(text) => text,
            Words::WrongType { expected, found } => return write!(f, "expected {expected}, found {found}"),
            Words::NoScalar { found } => return write!(f, "expected a string, number or boolean, found {found}"),
            Words::NotAField => "not a field of this request",
            Words::FieldTwice => "the field appears twice",
            Words::FieldMissing => "the field is required",
            Words::OneOf(types) => {
                let types = types.as_deref().unwrap_or(&AccountType::DIRECT_DEBIT);
                let names: Vec<&str> = types.iter().map(AccountType::as_str).collect();
                return write!(f, "expected one of {}", names.join(", "));
            }
            Words::ReturnUri(error) => return error.fmt(f),
            Words::OwnLinkState => "expected no link_state parameter; the Worker adds its own",
            Words::NotOnTheList => "expected an address on this shop's list of return addresses",
            Words::CitizenId(error) => return error.fmt(f),
            Words::NameReserved => "names that begin with linked_accounts_ are the Worker's own",
            Words::NameForm => "expected a name without square brackets, and not empty",
            Words::NameTwice => "the name appears twice",
            Words::NumberInexact => "expected a number that is exact in JavaScript; send longer ones as strings",
            Words::TooManyChars(most) => return write!(f, "expected at most {most} characters of JSON"),
        })
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl From<&'static str> for Message {
    fn from(text: &'static str) -> Self {
        Self(Words::Plain(text.into()))
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self(Words::Plain(text.into()))
    }
}

impl From<Words> for Message {
    fn from(words: Words) -> Self {
        Self(words)
    }
}

/// The kind of an [`Issue`]: stable words that programs may compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IssueCode {
    /// A required field is missing or empty.
    Required,
    /// The value has the wrong JSON type.
    WrongType,
    /// The field is not one of the request's.
    UnknownField,
    /// The field appears twice.
    Duplicate,
    /// The value is not of the expected form.
    Invalid,
    /// The value is longer than allowed.
    TooLong,
    /// The account type cannot be created here.
    NotSupported,
    /// The address is well-formed but not on the operator's list.
    NotAllowed,
    /// The name is reserved for the Worker.
    Reserved,
}

impl IssueCode {
    /// Every code, in the order of declaration.
    pub const ALL: [Self; 9] = [
        Self::Required,
        Self::WrongType,
        Self::UnknownField,
        Self::Duplicate,
        Self::Invalid,
        Self::TooLong,
        Self::NotSupported,
        Self::NotAllowed,
        Self::Reserved,
    ];

    /// The code as answers carry it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::WrongType => "wrong_type",
            Self::UnknownField => "unknown_field",
            Self::Duplicate => "duplicate",
            Self::Invalid => "invalid",
            Self::TooLong => "too_long",
            Self::NotSupported => "not_supported",
            Self::NotAllowed => "not_allowed",
            Self::Reserved => "reserved",
        }
    }
}

impl Serialize for IssueCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Everything that is wrong with an input, at once, in field order; never empty, and cut at [`ValidationError::MAX_ISSUES`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidationError(Vec<Issue>);

impl ValidationError {
    /// The most issues that are told: more than any form has fields. A hostile body could hold tens of thousands.
    pub const MAX_ISSUES: usize = 100;

    /// `Err` with the issues, or `Ok` where there are none.
    pub(crate) fn check(mut issues: Vec<Issue>) -> Result<(), Self> {
        issues.truncate(Self::MAX_ISSUES);
        if issues.is_empty() { Ok(()) } else { Err(Self(issues)) }
    }

    /// The issues, in field order.
    #[must_use]
    pub fn issues(&self) -> &[Issue] {
        &self.0
    }

    /// The issues, in field order.
    #[must_use]
    pub fn into_issues(self) -> Vec<Issue> {
        self.0
    }
}

impl From<Issue> for ValidationError {
    fn from(issue: Issue) -> Self {
        Self(vec![issue])
    }
}

impl fmt::Display for ValidationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, issue) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { "; " };
            write!(f, "{separator}{}: {}", issue.field, issue.message)?;
        }
        Ok(())
    }
}

impl Error for ValidationError {}
