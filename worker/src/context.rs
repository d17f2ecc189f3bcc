//! What a request works with.

use std::rc::Rc;

use omise_linked_accounts::Reason;

use crate::{
    answer::Failure,
    ledger::{Ledger, Millis},
    settings::Settings,
    trace::Trace,
};

/// Settings, ledger, clock and randomness, for the time of one request.
pub(crate) struct Context {
    pub(crate) settings: &'static Settings,
    pub(crate) ledger: Ledger,
    pub(crate) trace: Rc<Trace>,
}

impl Context {
    #[allow(clippy::unused_self)] // the clock is the context's
    pub(crate) fn now(&self) -> Millis {
        now()
    }

    /// 128 random bits.
    #[allow(clippy::unused_self)] // so is randomness
    pub(crate) fn random(&self) -> Result<[u8; 16], Failure> {
        random()
    }
}

/// Milliseconds since 1970. In workerd the clock stands still between I/O.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // whole milliseconds, and long after 1970
pub(crate) fn now() -> Millis {
    js_sys::Date::now() as Millis
}

/// Random bytes from WebCrypto.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    getrandom::getrandom(&mut bytes).map_err(|_| Failure::new(Reason::Internal).with_log("no randomness"))?;
    Ok(bytes)
}
