//! Why a registration fails.

/// A failure code that a bank's refusal has in the sandbox.
///
/// Omise's own table of codes for direct debit is not public in full. The first five are those that its clients name for direct
/// debit. The others are of Omise's list for charges (schema export): what a bank reports of a registration beyond the five
/// (SCB "Direct Debit Registration") is said by them, and a consent that was not given by `registration_rejected`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureCode {
    /// The account holder said no.
    RegistrationRejected,
    /// The account is not one for direct debit.
    InvalidAccount,
    /// There is not enough money in the account.
    InsufficientFund,
    /// The bank could not finish.
    FailedProcessing,
    /// The bank was asked too often.
    RateLimitExceeded,
    /// The identity number is another one at the bank.
    FailedFraudCheck,
    /// The one-time password was wrong too often.
    InvalidSecurityCode,
    /// The account holder took too long after signing in.
    Timeout,
}

impl FailureCode {
    /// In the order in which they are offered.
    pub(crate) const ALL: [Self; 8] = [
        Self::RegistrationRejected,
        Self::InvalidAccount,
        Self::InsufficientFund,
        Self::FailedProcessing,
        Self::RateLimitExceeded,
        Self::FailedFraudCheck,
        Self::InvalidSecurityCode,
        Self::Timeout,
    ];

    /// The code as Omise writes it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::RegistrationRejected => "registration_rejected",
            Self::InvalidAccount => "invalid_account",
            Self::InsufficientFund => "insufficient_fund",
            Self::FailedProcessing => "failed_processing",
            Self::RateLimitExceeded => "rate_limit_exceeded",
            Self::FailedFraudCheck => "failed_fraud_check",
            Self::InvalidSecurityCode => "invalid_security_code",
            Self::Timeout => "timeout",
        }
    }

    /// The `failure_message` beside it, for developers. The words are ours: Omise's are not public.
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::RegistrationRejected => "The account holder declined the registration.",
            Self::InvalidAccount => "The account cannot be used for direct debit.",
            Self::InsufficientFund => "The account has insufficient funds.",
            Self::FailedProcessing => "The bank could not process the registration.",
            Self::RateLimitExceeded => "The bank received too many requests.",
            Self::FailedFraudCheck => "The identity number does not match the bank's records.",
            Self::InvalidSecurityCode => "The one-time password was wrong too many times.",
            Self::Timeout => "The session at the bank timed out.",
        }
    }

    /// The code that a form names.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use omise_linked_accounts::message::FAILURES;

    use super::*;

    #[test]
    fn names() {
        for code in FailureCode::ALL {
            assert_eq!(FailureCode::parse(code.as_str()), Some(code));
        }
        for text in ["", "Timeout", "payment_rejected", "timeout "] {
            assert_eq!(FailureCode::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn customers_are_told_of_each_in_words_of_its_own() {
        for code in FailureCode::ALL {
            assert!(FAILURES.contains(&code.as_str()), "{code:?}");
        }
    }

    #[test]
    fn messages_differ() {
        let messages: BTreeSet<_> = FailureCode::ALL.into_iter().map(FailureCode::message).collect();
        assert_eq!(messages.len(), FailureCode::ALL.len());
    }
}
