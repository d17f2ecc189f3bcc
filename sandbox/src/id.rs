//! New ids.

const LENGTH: usize = 19;

/// 36 to the power of 10: what ten of the digits can say.
const RANDOM: u128 = 36_u128.pow(10);

/// An id in the form of Omise's own, a prefix such as `lnac_test_` and 19 digits to the base of 36, which rises with time: nine of
/// them are milliseconds (enough until the year 5188), ten are left to chance.
pub(crate) fn mint(prefix: &str, millis: u64, chance: u64) -> String {
    let mut rest = u128::from(millis) * RANDOM + u128::from(chance) % RANDOM;
    let mut digits = ['0'; LENGTH];
    for slot in digits.iter_mut().rev() {
        *slot = char::from_digit((rest % 36) as u32, 36).unwrap_or('0');
        rest /= 36;
    }
    format!("{prefix}{}", digits.iter().collect::<String>())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn samples() {
        for (prefix, millis, chance, expected) in [
            ("lnac_test_", 0, 0, "lnac_test_0000000000000000000"),
            ("lacct_test_", 0, 35, "lacct_test_000000000000000000z"),
            ("lnac_test_", 1, 0, "lnac_test_0000000010000000000"),
            ("lnac_test_", 1_717_387_874_000, u64::MAX, "lnac_test_0lwygeci8e11264sgsf"),
        ] {
            assert_eq!(mint(prefix, millis, chance), expected);
        }
    }

    proptest! {
        #[test]
        fn later_is_greater(millis in 0..100_000_000_000_000_u64, a in any::<u64>(), b in any::<u64>()) {
            let (earlier, later) = (mint("lnac_test_", millis, a), mint("lnac_test_", millis + 1, b));
            prop_assert!(earlier < later);
            prop_assert_eq!(earlier.len(), "lnac_test_5zylnmmt2kl9chq3ip1".len());
        }

        /// With a seed chance rises, and has 51 bits.
        #[test]
        fn at_one_time_the_greater_chance_is_greater(millis in 0..100_000_000_000_000_u64, chance in 0..(1_u64 << 51) - 1) {
            prop_assert!(mint("lnac_test_", millis, chance) < mint("lnac_test_", millis, chance + 1));
        }
    }
}
