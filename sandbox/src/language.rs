//! The language that the bank speaks to a visitor.

use omise_linked_accounts::message::Locale;

/// The language's tag (RFC 5646).
pub(crate) const fn tag(locale: Locale) -> &'static str {
    match locale {
        Locale::Th => "th",
        Locale::Ja => "ja",
        _ => "en",
    }
}

/// What the language calls itself.
pub(crate) const fn name(locale: Locale) -> &'static str {
    match locale {
        Locale::Th => "ไทย",
        Locale::Ja => "日本語",
        _ => "English",
    }
}

/// The language that was asked for by its tag, else the one that the browser likes best, else English.
pub(crate) fn choose(asked: &str, accepted: Option<&str>) -> Locale {
    let asked = Locale::ALL.into_iter().find(|&locale| tag(locale) == asked);
    asked.or_else(|| accepted.and_then(best)).unwrap_or_default()
}

/// Of the languages in an `Accept-Language` (RFC 9110 §12.5.4) the one with the most weight; of equals the first.
fn best(accepted: &str) -> Option<Locale> {
    let mut best = None;
    let mut most = 0.0;
    for range in accepted.split(',') {
        let (range, weight) = range.split_once(';').unwrap_or((range, "q=1"));
        let Some((locale, weight)) = of_range(range.trim()).zip(of_weight(weight.trim())) else { continue };
        if weight > most {
            (best, most) = (Some(locale), weight);
        }
    }
    best
}

/// By its primary language: `th-TH` is Thai.
fn of_range(range: &str) -> Option<Locale> {
    let primary = range.split('-').next()?;
    Locale::ALL.into_iter().find(|&locale| tag(locale).eq_ignore_ascii_case(primary))
}

fn of_weight(parameter: &str) -> Option<f32> {
    let weight = parameter.strip_prefix(['q', 'Q'])?.strip_prefix('=')?.parse().ok()?;
    (0.0..=1.0).contains(&weight).then_some(weight)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn table() {
        for (asked, accepted, expected) in [
            ("", None, Locale::En),
            ("th", None, Locale::Th),
            ("ja", Some("th"), Locale::Ja),
            ("en", Some("th"), Locale::En),
            // not ours
            ("de", Some("th"), Locale::Th),
            ("TH", Some("ja"), Locale::Ja),
            ("th-TH", Some("ja"), Locale::Ja),
            ("", Some("th-TH,th;q=0.9,en-US;q=0.8,en;q=0.7"), Locale::Th),
            ("", Some("ja"), Locale::Ja),
            ("", Some("JA-jp"), Locale::Ja),
            ("", Some("de-DE, de;q=0.9, th;q=0.3"), Locale::Th),
            ("", Some("en;q=0.2, ja;q=0.8, th;q=0.5"), Locale::Ja),
            ("", Some("th, ja"), Locale::Th),
            ("", Some("en-GB, th"), Locale::En),
            ("", Some("th\t;\tQ=1.000"), Locale::Th),
            // unwanted, or no weight at all
            ("", Some("th;q=0, ja;q=0.001"), Locale::Ja),
            ("", Some("th;q=NaN, ja;q=0.1"), Locale::Ja),
            ("", Some("th;q=2, ja;q=0.1"), Locale::Ja),
            ("", Some("th;q=-1, ja;q=0.1"), Locale::Ja),
            ("", Some("th;level=1, ja;q=0.1"), Locale::Ja),
            ("", Some("*"), Locale::En),
            ("", Some("thai, tha"), Locale::En),
            ("", Some(""), Locale::En),
            ("", Some(",;,;q="), Locale::En),
        ] {
            assert_eq!(choose(asked, accepted), expected, "{asked:?} {accepted:?}");
        }
    }

    proptest! {
        #[test]
        fn the_most_wanted_wins(weights in prop::array::uniform3(1_u16..=1000)) {
            let header: Vec<String> = std::iter::zip(Locale::ALL, weights)
                .map(|(locale, weight)| format!("{};q={}", tag(locale), f32::from(weight) / 1000.0))
                .collect();
            let chosen = choose("", Some(&header.join(", ")));
            let place = Locale::ALL.into_iter().position(|locale| locale == chosen).unwrap();
            let most = weights.into_iter().max().unwrap();
            prop_assert_eq!(weights.into_iter().position(|weight| weight == most), Some(place));
        }
    }
}
