//! What a page passes in, as the package's JavaScript takes it apart and writes it into one text: a call that carries one text
//! across costs a tenth of one that carries a dozen values, and a parser of JSON would be nineteen kilobytes.

use alloc::vec::Vec;

use crate::{Json, Number};

/// Reads an object's members. Each is written as its kind, the length of its name, a comma, the length of its text, a comma, name
/// and text; lengths are in UTF-16 code units, as JavaScript counts.
///
/// | kind | text | value |
/// |---|---|---|
/// | `s` | itself | a string |
/// | `n` | as JSON writes it | a number that JavaScript carries exactly |
/// | `N` | | any other number |
/// | `t`, `f` | | true, false |
/// | `z` | | null |
/// | `a` | | an array |
/// | `o` | none: its length is how many members follow that are its own | an object |
///
/// `None` for what is no such text.
pub(super) fn members(text: &str) -> Option<Vec<(&str, Json<&str>)>> {
    let mut reader = Reader(text);
    // more than most forms have
    let mut members = Vec::with_capacity(8);
    while !reader.0.is_empty() {
        members.push(reader.member()?);
    }
    Some(members)
}

/// What is left to read.
struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    fn member(&mut self) -> Option<(&'a str, Json<&'a str>)> {
        let kind = self.take(1)?;
        let (name, text) = (self.number()?, self.number()?);
        let name = self.take(name)?;
        let json = match kind {
            "s" => Json::String(self.take(text)?),
            "n" => Json::Number(Some(Number::from_js(self.take(text)?))),
            "N" => Json::Number(None),
            "t" => Json::Bool(true),
            "f" => Json::Bool(false),
            "z" => Json::Null,
            "a" => Json::Array,
            "o" => {
                let mut members = Vec::new();
                for _ in 0..text {
                    members.push(self.member()?);
                }
                Json::Object(members)
            }
            _ => return None,
        };
        Some((name, json))
    }

    /// A number, and the comma after it.
    fn number(&mut self) -> Option<usize> {
        let mut number = 0_usize;
        for (at, byte) in self.0.bytes().enumerate() {
            match byte {
                b'0'..=b'9' => number = number.checked_mul(10)?.checked_add((byte - b'0').into())?,
                b',' => {
                    self.0 = self.0.get(at + 1..)?;
                    return Some(number);
                }
                _ => return None,
            }
        }
        None
    }

    /// So many UTF-16 code units.
    fn take(&mut self, units: usize) -> Option<&'a str> {
        let mut left = units;
        let end = self.0.bytes().position(|byte| {
            let needed = match byte {
                // not the first byte of a character
                0x80..=0xbf => return false,
                // what is beyond U+FFFF takes a pair
                0xf0.. => 2,
                _ => 1,
            };
            left.checked_sub(needed).map(|rest| left = rest).is_none()
        });
        if left > 0 {
            return None;
        }
        let (taken, rest) = self.0.split_at_checked(end.unwrap_or(self.0.len()))?;
        self.0 = rest;
        Some(taken)
    }
}
