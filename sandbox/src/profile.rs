//! Which documents the sandbox goes by, where they disagree.

use omise_linked_accounts::{AccountType, ApiError, ErrorCode};

/// The documents that the sandbox goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Omise's own pages, its schema and what was captured.
    Official,
    /// And what an unofficial reference adds to them: ids that begin with `lacct_`, two more error codes, 422 where the account
    /// may not do what was asked, rate limits and `Idempotency-Key`.
    Extended,
}

impl Profile {
    /// The profile of a name.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "official" => Some(Self::Official),
            "extended" => Some(Self::Extended),
            _ => None,
        }
    }

    /// What ids begin with.
    pub(crate) const fn id_prefix(self) -> &'static str {
        match self {
            Self::Official => "lnac_test_",
            Self::Extended => "lacct_test_",
        }
    }

    /// The answer to a type that cannot be created. The unofficial reference knows types for merchants, which here are not
    /// enabled; to what it does not know it gives a code of its own.
    pub(crate) fn type_refused(self, account_type: &AccountType) -> ApiError {
        let unknown = |code| ApiError::new(400, code, "Type is not supported");
        match (self, account_type) {
            (Self::Official, _) => unknown(ErrorCode::BadRequest),
            (Self::Extended, AccountType::Individual | AccountType::Business) => {
                let message = "Linked account type not enabled for your account";
                ApiError::new(422, ErrorCode::NotEnabled, message)
            }
            (Self::Extended, _) => unknown(ErrorCode::InvalidLinkedAccountType),
        }
    }

    /// How many accounts may be pending or registered at once. The reference names a limit, but no number: this one is ours.
    pub(crate) const fn account_limit(self) -> Option<u32> {
        match self {
            Self::Official => None,
            Self::Extended => Some(1_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_cannot_be_created() {
        for (profile, account_type, status, code) in [
            (Profile::Official, "direct_debit_uob", 400, "bad_request"),
            (Profile::Official, "individual", 400, "bad_request"),
            (Profile::Extended, "direct_debit_uob", 400, "invalid_linked_account_type"),
            (Profile::Extended, "individual", 422, "not_enabled"),
            (Profile::Extended, "business", 422, "not_enabled"),
        ] {
            let error = profile.type_refused(&AccountType::from(account_type));
            assert_eq!((error.status, error.code().map(ErrorCode::as_str)), (status, Some(code)), "{account_type}");
        }
    }
}
