//! The accounts that every customer of the sandbox's banks has.

use omise_linked_accounts::LinkedAccountId;

/// One of the two accounts that the bank's page offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BankAccount {
    Savings,
    Current,
}

impl BankAccount {
    /// In the order in which they are offered.
    pub(crate) const ALL: [Self; 2] = [Self::Savings, Self::Current];

    /// The account's name in the form.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Savings => "savings",
            Self::Current => "current",
        }
    }

    /// The account that a form names.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|account| account.as_str() == text)
    }

    /// The last four digits of the account number: they follow from the id, so that the page shows the same ones each time,
    /// and the two accounts differ.
    pub(crate) fn last_digits(self, id: &LinkedAccountId) -> String {
        let hash = id.as_str().bytes().fold(0_u32, |hash, b| hash.wrapping_mul(31).wrapping_add(b.into()));
        let offset = match self {
            Self::Savings => 0,
            Self::Current => 4_321,
        };
        format!("{:04}", (hash % 10_000 + offset) % 10_000)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names() {
        for account in BankAccount::ALL {
            assert_eq!(BankAccount::parse(account.as_str()), Some(account));
        }
        for text in ["", "Savings", "checking"] {
            assert_eq!(BankAccount::parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn four_digits_that_differ(suffix in "[0-9a-z]{19}") {
            let id = LinkedAccountId::parse(&format!("lnac_test_{suffix}")).unwrap();
            let [a, b] = BankAccount::ALL.map(|account| account.last_digits(&id));
            prop_assert!(a.len() == 4 && a.bytes().all(|b| b.is_ascii_digit()), "{}", a);
            prop_assert!(b.len() == 4 && b.bytes().all(|b| b.is_ascii_digit()), "{}", b);
            prop_assert_eq!(&a, &BankAccount::Savings.last_digits(&id));
            prop_assert_ne!(a, b);
        }
    }
}
