//! The order of lists and search results.

use serde::{Deserialize, Serialize};

/// The order of a list or of search results, by creation time.
///
/// Omise's documents disagree about the default of a search, so ours always send it.
///
/// Source: Omise "Pagination and lists", parameter `order`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Oldest first.
    #[default]
    Chronological,
    /// Newest first.
    ReverseChronological,
}

impl Order {
    /// The order as Omise writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chronological => "chronological",
            Self::ReverseChronological => "reverse_chronological",
        }
    }

    /// The order of this name.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Self> {
        [Self::Chronological, Self::ReverseChronological].into_iter().find(|order| order.as_str() == text)
    }
}
