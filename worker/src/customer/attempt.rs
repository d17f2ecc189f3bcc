//! The states of an attempt: how far a create has come.
//!
//! | state | what is known | `asked` again | current |
//! |---|---|---|---|
//! | `asked` | Omise was asked, or was about to be. In flight while a call works on it, else in doubt: an answer that was lost, an instance or a process that died | – | yes, unless replaced |
//! | `refused` | Omise's own error object: it made nothing. The key is free | never | no |
//! | `linked` | the account is known | never | while it is pending, unless replaced |
//! | `abandoned` | it was not found within the quiet period: the customer is free. An account that turns up later is still the customer's | never | no |
//!
//! | from | event | to |
//! |---|---|---|
//! | – | a create begins | `asked` |
//! | `asked` | Omise refuses | `refused` |
//! | `asked`, `refused`, `abandoned` | the account came, or was found by its stamp | `linked` |
//! | `asked` | the quiet period is over | `abandoned` |
//!
//! All else leaves an attempt as it is: whatever Omise says later, a link stays its attempt's. When each time is over is in over.rs.

/// A state, as the ledger has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Asked,
    Refused,
    Linked,
    Abandoned,
}

/// What can happen to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Omise says that it made nothing.
    Refused,
    /// The account is known.
    Found,
    /// The quiet period is over.
    Over,
}

impl State {
    pub(crate) const ALL: [Self; 4] = [Self::Asked, Self::Refused, Self::Linked, Self::Abandoned];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Refused => "refused",
            Self::Linked => "linked",
            Self::Abandoned => "abandoned",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// The state after an event; `None` where the attempt stays as it is.
    pub(crate) const fn after(self, event: Event) -> Option<Self> {
        match (self, event) {
            (Self::Asked, Event::Refused) => Some(Self::Refused),
            (Self::Asked | Self::Refused | Self::Abandoned, Event::Found) => Some(Self::Linked),
            (Self::Asked, Event::Over) => Some(Self::Abandoned),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_and_event() {
        for (state, event, expected) in [
            ("asked", Event::Refused, Some("refused")),
            ("asked", Event::Found, Some("linked")),
            ("asked", Event::Over, Some("abandoned")),
            ("refused", Event::Refused, None),
            ("refused", Event::Found, Some("linked")),
            ("refused", Event::Over, None),
            ("linked", Event::Refused, None),
            ("linked", Event::Found, None),
            ("linked", Event::Over, None),
            ("abandoned", Event::Refused, None),
            ("abandoned", Event::Found, Some("linked")),
            ("abandoned", Event::Over, None),
        ] {
            let after = State::parse(state).unwrap().after(event).map(State::as_str);
            assert_eq!(after, expected, "{state} {event:?}");
        }
        assert_eq!(State::parse("open"), None);
    }
}
