//! Which accounts a list or a search shows.

use omise_linked_accounts::{Order, Timestamp, list::ListParams, search::SearchParams};

use crate::search_text;

/// Conditions on accounts, and which part of those that fit is wanted.
///
/// Statements are put together from fixed texts, only as much as is asked for, so that an index can serve each of them.
#[derive(Debug)]
pub(crate) struct Selection {
    conditions: Vec<&'static str>,
    /// One for each condition.
    pub(crate) values: Vec<String>,
    order: Order,
    pub(crate) limit: u32,
    pub(crate) offset: u32,
}

impl Selection {
    /// What a list shows at time `now`.
    pub(crate) fn list(params: &ListParams, now: Timestamp) -> Self {
        let mut selection = Self::new(params.order, params.limit, params.offset);
        if let Some(from) = params.from {
            selection.add("created_at >= ?", from.to_string());
        }
        selection.add("created_at <= ?", params.to.unwrap_or(now).to_string());
        selection
    }

    /// What a search finds.
    pub(crate) fn search(params: &SearchParams) -> Self {
        let offset = params.page.saturating_sub(1).saturating_mul(params.per_page);
        let mut selection = Self::new(params.order, params.per_page, offset);
        if let Some(created) = params.filters.created {
            let (first, last) = created.days();
            selection.add("created_at >= ?", format!("{first}T00:00:00Z"));
            selection.add("created_at <= ?", format!("{last}T23:59:59Z"));
        }
        if let Some(status) = &params.filters.status {
            selection.add("status = ?", status.to_string());
        }
        if let Some(account_type) = &params.filters.account_type {
            selection.add("type = ?", account_type.to_string());
        }
        if !params.query.is_empty() {
            // `LIKE` takes patterns of 50 bytes at most in D1
            let found = "instr(search_text || char(10) || ifnull(last_digits, ''), ?) > 0";
            selection.add(found, search_text::fold(&params.query));
        }
        selection
    }

    const fn new(order: Order, limit: u32, offset: u32) -> Self {
        Self { conditions: Vec::new(), values: Vec::new(), order, limit, offset }
    }

    fn add(&mut self, condition: &'static str, value: String) {
        self.conditions.push(condition);
        self.values.push(value);
    }

    /// The statement that counts all accounts that fit. It takes the values.
    pub(crate) fn count(&self) -> String {
        format!("SELECT count(*) AS total FROM accounts{}", self.filter())
    }

    /// The statement that reads the part. It takes the values, the limit and the offset.
    pub(crate) fn part(&self) -> String {
        let order = match self.order {
            Order::Chronological => "created_at, id",
            Order::ReverseChronological => "created_at DESC, id DESC",
        };
        format!("SELECT * FROM accounts{} ORDER BY {order} LIMIT ? OFFSET ?", self.filter())
    }

    fn filter(&self) -> String {
        if self.conditions.is_empty() { String::new() } else { format!(" WHERE {}", self.conditions.join(" AND ")) }
    }
}

#[cfg(test)]
mod tests {
    use omise_linked_accounts::{list, search};

    use super::*;

    const NOW: &str = "2024-06-03T04:11:14Z";

    fn list(query: &str) -> Selection {
        Selection::list(&list::decode_request(query).unwrap(), Timestamp::parse(NOW).unwrap())
    }

    fn search(query: &str) -> Selection {
        Selection::search(&search::decode_request(query).unwrap())
    }

    #[test]
    fn values_and_parts() {
        for (selection, values, part) in [
            (list(""), vec![NOW], (20, 0)),
            (list("to=2024-06-01T00:00:00Z&limit=1&offset=9"), vec!["2024-06-01T00:00:00Z"], (1, 9)),
            (list("from=2024-06-01T07:00:00%2B07:00"), vec!["2024-06-01T00:00:00Z", NOW], (20, 0)),
            (search(""), vec![], (30, 0)),
            (search("page=3&per_page=7"), vec![], (7, 14)),
            (search("page=10000000&per_page=100"), vec![], (100, 999_999_900)),
            (
                search(
                    "query=A%25&filters[type]=direct_debit_scb&filters[status]=failed&filters[created]=2024-02-28..2024-02-29",
                ),
                vec!["2024-02-28T00:00:00Z", "2024-02-29T23:59:59Z", "failed", "direct_debit_scb", "a%"],
                (30, 0),
            ),
        ] {
            assert_eq!(selection.values, values);
            assert_eq!((selection.limit, selection.offset), part);
            assert_eq!(selection.count().matches('?').count(), values.len());
            assert_eq!(selection.part().matches('?').count(), values.len() + 2);
        }
    }
}
