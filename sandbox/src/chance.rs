//! What is left to chance: random bytes of WebCrypto's, or with a `SEED` the same ones whenever the same is done in the same order.
//!
//! Each kind of thing has a sequence of its own: one request more or less changes no account's id.

use sha2::{Digest, Sha256};
use worker::{Env, Error, Result};

use crate::random;

/// 16 bytes for a thing.
pub(crate) async fn bytes(env: &Env, seed: Option<u64>, thing: &str) -> Result<[u8; 16]> {
    match seed {
        None => random(),
        Some(seed) => Ok(of_seed(seed, thing, next(env, thing).await?).to_be_bytes()),
    }
}

/// A number for a thing; with a seed it is greater than any before, and has 51 bits at most.
pub(crate) async fn rising(env: &Env, seed: Option<u64>, thing: &str) -> Result<u64> {
    match seed {
        None => Ok(u64::from_be_bytes(random()?)),
        Some(seed) => Ok(rising_of_seed(seed, thing, next(env, thing).await?)),
    }
}

/// The number of the next draw for a thing, from 1. The database counts, so that a restart repeats none.
async fn next(env: &Env, thing: &str) -> Result<u32> {
    let sql = "INSERT INTO chance (thing, drawn) VALUES (?1, 1)
               ON CONFLICT (thing) DO UPDATE SET drawn = drawn + 1 RETURNING drawn";
    let drawn: Option<u32> = env.d1("DB")?.prepare(sql).bind(&[thing.into()])?.first(Some("drawn")).await?;
    drawn.ok_or_else(|| Error::RustError("the database drew nothing".to_owned()))
}

/// The first half of a SHA-256 hash.
fn of_seed(seed: u64, thing: &str, draw: u32) -> u128 {
    let hash = Sha256::new().chain_update(seed.to_be_bytes()).chain_update(thing).chain_update(draw.to_be_bytes());
    hash.finalize().iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte))
}

fn rising_of_seed(seed: u64, thing: &str, draw: u32) -> u64 {
    const BITS: u32 = 19;

    let low = of_seed(seed, thing, draw) >> (u128::BITS - BITS);
    u64::from(draw) << BITS | u64::try_from(low).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Hashed with another implementation (`sha256sum`).
    #[test]
    fn samples() {
        for (seed, thing, draw, expected) in [
            (0, "account", 1, 0x827b_5350_7ab8_546d_ef8d_4672_8f27_5947),
            (7, "request", 2, 0x2e26_5d32_5850_ce74_fbdf_8422_0012_aa0e),
        ] {
            assert_eq!(of_seed(seed, thing, draw), expected, "{seed} {thing} {draw}");
        }
    }

    proptest! {
        #[test]
        fn later_draws_are_greater(seed in any::<u64>(), draw in 0..u32::MAX) {
            let rising = |draw| rising_of_seed(seed, "account", draw);
            prop_assert!(rising(draw) < rising(draw + 1));
            prop_assert!(rising(draw + 1) < 1 << 51);
        }
    }
}
