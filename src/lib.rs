//! Types, rules and codecs for Omise's linked-account API: linking a customer's Thai bank account for direct debit.
//!
//! **In scope:** what an account, an id, a status, a `return_uri`, a citizen id or a piece of metadata may be; what each
//! endpoint's request and answer look like on the wire; which errors exist and what they mean.
//!
//! **Out of scope:** I/O, clocks, randomness, storage. Whoever owns the socket and the clock (a Worker, a browser, a
//! backend) passes bytes and times in and acts on the answer.
//!
//! Each Omise endpoint is a module with four pure functions — `encode_request`, `decode_request`, `encode_response`,
//! `decode_response` — so that a client, an emulator and their tests share one codec:
//!
//! | endpoint | module |
//! |---|---|
//! | `POST /linked_accounts` | [`create`] |
//! | `GET /linked_accounts/:id` | [`retrieve`] |
//! | `DELETE /linked_accounts/:id` | [`delete`] |
//! | `GET /linked_accounts` | [`list`] |
//! | `GET /linked_accounts/search` | [`search`] |
//!
//! What to do about failure and delay is decided by pure functions too: [`retry`], [`poll`], [`merge`]; whoever owns the
//! clock acts on their answer. [`webhook`] verifies and reads events, [`message`] has words for customers.
//!
//! # Example
//!
//! A whole exchange with an ordinary HTTP client, here [ureq](https://docs.rs/ureq): the caller sends the [`Request`] with the
//! headers `Authorization`, `Omise-Version` and, with a body, `Content-Type`. The table at [`Request`] gives their values.
//! The program is `examples/create.rs`; the project's tests run it against a sandbox.
//!
#![doc = "```no_run"]
#![doc = include_str!("../examples/create.rs")]
#![doc = "```"]
//!
//! The crate is `no_std` and needs `alloc`.
//!
//! This crate is not made or endorsed by Omise. Its rules come from Omise's public documentation; where documents
//! disagree it is strict in what it sends and tolerant in what it reads.

#![forbid(unsafe_code)]
// The standard library's panics take three kilobytes of a module for the browser.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod account;
mod account_type;
mod api_error;
mod attributes;
mod audit_request;
mod bank;
mod citizen_id;
// An outer attribute, so that the paths of the page start at the crate's root.
#[cfg(any(doc, test))]
#[cfg_attr(doc, doc = include_str!("../docs/coverage.md"))]
pub mod coverage;
pub mod create;
mod create_request;
pub mod delete;
mod error_answer;
#[cfg(test)]
mod facts;
mod id;
mod issue;
mod json;
mod link_state;
pub mod list;
mod list_request;
pub mod merge;
pub mod message;
mod metadata;
mod mode;
mod order;
pub mod poll;
mod query;
mod raw_metadata;
mod reason;
mod request;
mod response;
pub mod retrieve;
pub mod retry;
mod return_uri;
pub mod search;
mod secret_key;
mod status;
mod timestamp;
pub mod webhook;

#[cfg(any(feature = "validate", feature = "webhook"))]
pub mod js;

pub use account::LinkedAccount;
pub use account_type::AccountType;
pub use api_error::{ApiError, ErrorBody, ErrorCode};
pub use audit_request::AuditRequest;
pub use bank::Bank;
pub use citizen_id::{CitizenId, CitizenIdError};
pub use create::CreateParams;
pub use create_request::{CreatePolicy, CreateRequest};
pub use error_answer::ErrorAnswer;
pub use id::{IdError, LinkedAccountId};
pub use issue::{Issue, IssueCode, Message, ValidationError};
pub use json::{Json, JsonError, Kind};
pub use link_state::{LinkState, LinkStateError};
pub use list_request::ListRequest;
pub use metadata::{Metadata, MetadataError, Number, Scalar};
pub use mode::Mode;
pub use order::Order;
pub use raw_metadata::RawMetadata;
pub use reason::Reason;
pub use request::{API_ORIGIN, API_VERSION, BODY_TYPE, DecodeRequestError, Method, Request};
pub use response::{MAX_ACCOUNT, MAX_PAGE, ResponseError, Unreadable};
pub use return_uri::{ReturnUri, ReturnUriError, ReturnUriPolicy};
pub use secret_key::{SecretKey, SecretKeyError};
pub use status::Status;
pub use timestamp::{Timestamp, TimestampError};
