//! The wasm-bindgen surface: what the npm package's JavaScript calls.
//!
//! Results leave as plain objects, arguments come in as strings or are read property by property, and JSON text is parsed
//! by the engine: no deserialiser is linked. Failures are rejected with a plain object that the package turns into a
//! `LinkedAccountsError`.

#[cfg(feature = "js")]
mod calls;
#[cfg(feature = "js")]
mod client;
#[cfg(feature = "js")]
mod error;
mod input;
mod object;
mod validate;

#[cfg(feature = "js")]
pub use calls::{ClientOptions, create, delete, resume, retrieve, start};
pub use validate::validate_create;
