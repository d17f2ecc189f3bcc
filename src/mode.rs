//! Test and live mode.

use core::fmt;

/// Which of Omise's two worlds a key or an object belongs to; neither sees the other's objects.
///
/// Source: Omise "Authentication" (keys and ids of test mode carry `_test_`, live ones carry nothing).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// No real money moves.
    Test,
    /// Real accounts, real money.
    Live,
}

impl Mode {
    /// Whether this is [`Mode::Live`]: the value of an object's `livemode`.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Live)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_live() { "live" } else { "test" })
    }
}
