//! Why a call is not done, be it one of Omise's API or of the control API.

/// Why a call is not done: what refuses it is told to the caller.
pub(crate) enum Failure<Refusal> {
    /// It is refused.
    Refused(Refusal),
    /// The sandbox itself failed.
    Broken(worker::Error),
}

impl<Refusal> From<worker::Error> for Failure<Refusal> {
    fn from(error: worker::Error) -> Self {
        Self::Broken(error)
    }
}

impl<Refusal> From<serde_json::Error> for Failure<Refusal> {
    fn from(error: serde_json::Error) -> Self {
        Self::Broken(error.into())
    }
}
