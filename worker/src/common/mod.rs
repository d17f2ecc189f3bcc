//! What edge, customer's object and audit log use alike.

pub(crate) mod answer;
pub(crate) mod call;
pub(crate) mod context;
#[cfg(feature = "fault")]
pub(crate) mod fault;
pub(crate) mod fetch;
pub(crate) mod jwks;
pub(crate) mod panic;
pub(crate) mod platform;
pub(crate) mod settings;
pub(crate) mod stamp;
pub(crate) mod storage;
pub(crate) mod trace;
pub(crate) mod upstream;
