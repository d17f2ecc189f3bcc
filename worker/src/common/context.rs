//! What every request works with: settings, its trace, the clock and randomness.

use std::{rc::Rc, sync::OnceLock, time::Duration};

use omise_linked_accounts::{Issue, Reason, Timestamp};
use worker::Env;

use super::{answer::Failure, settings::Settings, trace::Trace};

/// Settings and trace, for the time of one request.
pub(crate) struct Context {
    pub(crate) settings: &'static Settings,
    pub(crate) trace: Rc<Trace>,
}

/// Milliseconds since 1970-01-01T00:00:00Z.
pub(crate) type Millis = u64;

/// The time now. In workerd the clock stands still between I/O.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // whole milliseconds, and long after 1970
pub(crate) fn now() -> Millis {
    js_sys::Date::now() as Millis
}

/// A time of JavaScript's.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // whole milliseconds, and long after 1970
pub(crate) fn whole(at: f64) -> Millis {
    at as Millis
}

/// Random bytes from WebCrypto.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    getrandom::getrandom(&mut bytes).map_err(|_| Failure::new(Reason::Internal).with_log("no randomness"))?;
    Ok(bytes)
}

/// Whole seconds of our own milliseconds.
pub(crate) fn timestamp(at: Millis) -> Result<Timestamp, Failure> {
    let seconds = i64::try_from(at / 1_000).ok().and_then(|at| Timestamp::from_unix(at).ok());
    seconds.ok_or_else(|| Failure::new(Reason::Internal).with_log("a time out of the calendar"))
}

/// A duration in milliseconds.
pub(crate) fn millis(duration: Duration) -> Millis {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The settings, read once an isolate: they cannot change within one.
pub(crate) fn settings(env: &Env) -> &'static Result<Settings, Vec<Issue>> {
    static SETTINGS: OnceLock<Result<Settings, Vec<Issue>>> = OnceLock::new();

    SETTINGS.get_or_init(|| {
        // a secret and a variable are read alike: both are text
        Settings::read(|name| env.var(name).ok().map(|value| value.to_string()))
    })
}
