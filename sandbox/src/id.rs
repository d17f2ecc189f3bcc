//! New ids.

use omise_linked_accounts::{IdError, LinkedAccountId};

const LENGTH: usize = 19;

/// 36 to the power of 10: what ten of the digits can say.
const RANDOM: u128 = 36_u128.pow(10);

/// An id in the form of Omise's own, `lnac_test_` and 19 digits to the base of 36, which rises with time: nine of them are
/// milliseconds (enough until the year 5188), ten are random.
pub(crate) fn mint(millis: u64, random: [u8; 8]) -> Result<LinkedAccountId, IdError> {
    let mut rest = u128::from(millis) * RANDOM + u128::from(u64::from_be_bytes(random)) % RANDOM;
    let mut digits = ['0'; LENGTH];
    for slot in digits.iter_mut().rev() {
        *slot = char::from_digit((rest % 36) as u32, 36).unwrap_or('0');
        rest /= 36;
    }
    LinkedAccountId::parse(&format!("lnac_test_{}", digits.iter().collect::<String>()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn samples() {
        for (millis, random, expected) in [
            (0, 0, "lnac_test_0000000000000000000"),
            (0, 35, "lnac_test_000000000000000000z"),
            (1, 0, "lnac_test_0000000010000000000"),
            (1_717_387_874_000, u64::MAX, "lnac_test_0lwygeci8e11264sgsf"),
        ] {
            assert_eq!(mint(millis, random.to_be_bytes()).unwrap().as_str(), expected);
        }
    }

    proptest! {
        #[test]
        fn later_is_greater(millis in 0..100_000_000_000_000_u64, a in any::<[u8; 8]>(), b in any::<[u8; 8]>()) {
            let (earlier, later) = (mint(millis, a).unwrap(), mint(millis + 1, b).unwrap());
            prop_assert!(earlier < later);
            prop_assert_eq!(earlier.as_str().len(), "lnac_test_5zylnmmt2kl9chq3ip1".len());
        }
    }
}
