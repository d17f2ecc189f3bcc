//! What is left to chance: random bytes of WebCrypto's, or with a `SEED` the same ones whenever the same is done in the same order.
//!
//! Each kind of thing has a sequence of its own: one request more or less changes no account's id.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use worker::{D1Database, D1PreparedStatement, Env, Error, Result};

use crate::random;

/// What has a sequence of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Thing {
    Account,
    Event,
    Request,
}

impl Thing {
    const ALL: [Self; 3] = [Self::Account, Self::Event, Self::Request];

    /// The name by which its draws are counted.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Event => "event",
            Self::Request => "request",
        }
    }
}

/// 16 bytes for a thing.
pub(crate) async fn bytes(env: &Env, seed: Option<u64>, thing: Thing) -> Result<[u8; 16]> {
    match seed {
        None => random(),
        Some(seed) => Ok(of_seed(seed, thing, next(env, thing).await?).to_be_bytes()),
    }
}

/// A number for a thing; with a seed it is greater than any before, and has 51 bits at most.
pub(crate) async fn rising(env: &Env, seed: Option<u64>, thing: Thing) -> Result<u64> {
    match seed {
        None => Ok(u64::from_be_bytes(random()?)),
        Some(seed) => Ok(rising_of_seed(seed, thing, next(env, thing).await?)),
    }
}

/// The number of the next draw for a thing, from 1. The database counts, so that a restart repeats none.
async fn next(env: &Env, thing: Thing) -> Result<u32> {
    let sql = "INSERT INTO chance (thing, drawn) VALUES (?1, 1)
               ON CONFLICT (thing) DO UPDATE SET drawn = drawn + 1 RETURNING drawn";
    let drawn: Option<u32> = env.d1("DB")?.prepare(sql).bind(&[thing.as_str().into()])?.first(Some("drawn")).await?;
    drawn.ok_or_else(|| Error::RustError("the database drew nothing".to_owned()))
}

/// How many draws were taken for each thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Drawn {
    account: u32,
    event: u32,
    request: u32,
}

impl Drawn {
    /// The most that is loaded, so that there are some left.
    const MAX: u32 = 1_000_000_000;

    const fn of(&mut self, thing: Thing) -> &mut u32 {
        match thing {
            Thing::Account => &mut self.account,
            Thing::Event => &mut self.event,
            Thing::Request => &mut self.request,
        }
    }

    /// As it is kept.
    pub(crate) async fn load(env: &Env) -> Result<Self> {
        #[derive(Deserialize)]
        struct Row {
            thing: Thing,
            drawn: u32,
        }

        let rows: Vec<Row> = env.d1("DB")?.prepare("SELECT thing, drawn FROM chance").all().await?.results()?;
        let mut all = Self::default();
        for Row { thing, drawn } in rows {
            *all.of(thing) = drawn;
        }
        Ok(all)
    }

    /// Whether it can be loaded; else which number is wrong, and what was expected.
    pub(crate) fn check(mut self) -> std::result::Result<(), String> {
        match Thing::ALL.into_iter().find(|thing| *self.of(*thing) > Self::MAX) {
            Some(thing) => Err(format!("{}: expected a whole number from 0 to {}", thing.as_str(), Self::MAX)),
            None => Ok(()),
        }
    }

    /// The statements that keep it, for a batch that has emptied the table.
    pub(crate) fn statements(mut self, db: &D1Database) -> Result<Vec<D1PreparedStatement>> {
        let sql = "INSERT INTO chance (thing, drawn) SELECT ?1, ?2 WHERE ?2 > 0";
        let insert = |thing: Thing| db.prepare(sql).bind(&[thing.as_str().into(), (*self.of(thing)).into()]);
        Thing::ALL.into_iter().map(insert).collect()
    }
}

/// The first half of a SHA-256 hash.
fn of_seed(seed: u64, thing: Thing, draw: u32) -> u128 {
    let hash =
        Sha256::new().chain_update(seed.to_be_bytes()).chain_update(thing.as_str()).chain_update(draw.to_be_bytes());
    hash.finalize().iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte))
}

fn rising_of_seed(seed: u64, thing: Thing, draw: u32) -> u64 {
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
            (0, Thing::Account, 1, 0x827b_5350_7ab8_546d_ef8d_4672_8f27_5947),
            (7, Thing::Request, 2, 0x2e26_5d32_5850_ce74_fbdf_8422_0012_aa0e),
        ] {
            assert_eq!(of_seed(seed, thing, draw), expected, "{seed} {thing:?} {draw}");
        }
    }

    proptest! {
        #[test]
        fn later_draws_are_greater(seed in any::<u64>(), draw in 0..u32::MAX) {
            let rising = |draw| rising_of_seed(seed, Thing::Account, draw);
            prop_assert!(rising(draw) < rising(draw + 1));
            prop_assert!(rising(draw + 1) < 1 << 51);
        }
    }
}
