//! SQL: every statement that the ledger gives to the database.

/// The text of a statement. Only this module makes one, so `ALL` is complete: `tests/worker/plans.spec.ts` checks the plan of each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sql(&'static str);

impl Sql {
    pub(crate) const fn as_str(self) -> &'static str {
        self.0
    }
}

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $text:expr;)*) => {
        $($(#[$doc])* pub(crate) const $name: Sql = Sql($text);)*

        /// Every statement, by name.
        #[cfg(test)]
        pub(crate) const ALL: &[(&str, Sql)] = &[$((stringify!($name), $name)),*];
    };
}

/// The columns of an `Attempt`.
macro_rules! attempt {
    () => {
        "id, fingerprint, state, link, looked_to, created_at"
    };
}

/// The columns of a `Seen`.
macro_rules! seen {
    () => {
        "owner, id, status, account, confirmed_at"
    };
}

/// Whether the owner `?1` has fewer open attempts than `$most`.
macro_rules! room {
    ($most:literal) => {
        concat!("(SELECT count(*) FROM attempts WHERE owner = ?1 AND open = 1) < ", $most)
    };
}

/// An owner's link that a return may confirm.
macro_rules! unconfirmed {
    () => {
        "link_state_hash = ?1 AND owner = ?2 AND confirmed_at IS NULL AND status <> 'deleted'"
    };
}

/// The links of a list: owner, first and last time, status, type.
macro_rules! listed {
    () => {
        "owner = ?1 AND created_at BETWEEN ?2 AND ?3
         AND (?4 IS NULL OR status = ?4) AND (?5 IS NULL OR type = ?5)"
    };
}

/// The links that a search finds: owner, status, type, first and last day, words. `lower()` folds A to Z only.
macro_rules! searched {
    () => {
        "owner = ?1 AND (?2 IS NULL OR status = ?2) AND (?3 IS NULL OR type = ?3)
         AND (?4 IS NULL OR date(created_at / 1000, 'unixepoch') BETWEEN ?4 AND ?5)
         AND (instr(id, ?6) OR instr(coalesce(account ->> '$.last_digits', ''), ?6)
           OR EXISTS (SELECT 1 FROM json_each(account, '$.metadata') WHERE instr(lower(value), ?6)))"
    };
}

macro_rules! count {
    ($matches:ident) => {
        concat!("SELECT count(*) AS total FROM links WHERE ", $matches!())
    };
}

/// A page with the count of all, which a subquery takes once, not for every row.
macro_rules! page {
    ($matches:ident, $direction:literal, $limit:literal) => {
        concat!(
            "SELECT ",
            seen!(),
            ", (",
            count!($matches),
            ") AS total FROM links WHERE ",
            $matches!(),
            " ORDER BY created_at ",
            $direction,
            ", id ",
            $direction,
            " ",
            $limit
        )
    };
}

macro_rules! audited {
    ($direction:literal) => {
        concat!(
            "SELECT id, at, request_id, actor, action, link, outcome FROM audit WHERE at BETWEEN ?1 AND ?2
             ORDER BY at ",
            $direction,
            ", id ",
            $direction,
            " LIMIT ?3 OFFSET ?4"
        )
    };
}

statements! {
    /// Selects the newest column of the table, and no row, so that a missing migration fails.
    CHECK_ATTEMPTS = "SELECT looked_to FROM attempts LIMIT 0";
    CHECK_LINKS = "SELECT type FROM links LIMIT 0";
    CHECK_EVENTS = "SELECT id FROM events LIMIT 0";
    CHECK_AUDIT = "SELECT id FROM audit LIMIT 0";

    DEMOTE = concat!(
        "UPDATE attempts SET current = 0 WHERE owner = ?1 AND type = ?2 AND current = 1 AND ",
        room!("?4"),
        " AND NOT EXISTS (SELECT 1 FROM attempts WHERE owner = ?1 AND idempotency_key = ?3)"
    );
    BEGIN = concat!(
        "INSERT INTO attempts
           (id, owner, idempotency_key, fingerprint, type, state, open, current, link_state_hash, looked_at, created_at)
         SELECT ?2, ?1, ?3, ?4, ?5, 'in_flight', 1, 1, ?6, 0, ?7 WHERE ",
        room!("?8"),
        " ON CONFLICT DO NOTHING RETURNING id"
    );
    CURRENT_ATTEMPT = concat!("SELECT ", attempt!(), " FROM attempts WHERE owner = ?1 AND type = ?2 AND current = 1");
    ATTEMPT_BY_KEY = concat!("SELECT ", attempt!(), " FROM attempts WHERE owner = ?1 AND idempotency_key = ?2");
    OPEN_ATTEMPTS = concat!("SELECT ", attempt!(), " FROM attempts WHERE owner = ?1 AND open = 1");
    UNSETTLED = concat!(
        "SELECT ",
        attempt!(),
        " FROM attempts WHERE created_at > ?1 AND (state <> 'linked' OR open = 1)
         ORDER BY looked_at, created_at LIMIT ?2"
    );
    LINK_OF_ATTEMPT = "SELECT link FROM attempts WHERE id = ?1";
    FORGET = "DELETE FROM attempts WHERE id = ?1 AND state <> 'linked'";
    DOUBT = "UPDATE attempts SET state = 'unknown' WHERE id = ?1 AND state = 'in_flight'";
    ABANDON_AUDIT = "INSERT INTO audit (at, request_id, actor, action, outcome)
                     SELECT ?2, ?3, ?4, 'abandon', 'ok' FROM attempts
                     WHERE id = ?1 AND state IN ('in_flight', 'unknown')";
    ABANDON = "UPDATE attempts SET state = 'abandoned', open = 0, current = 0, looked_to = NULL
               WHERE id = ?1 AND state IN ('in_flight', 'unknown')";
    LOOKED = "UPDATE attempts SET looked_at = ?2 WHERE id IN (SELECT value FROM json_each(?1))";
    LOOKED_TO = "UPDATE attempts SET looked_to = ?2 WHERE id = ?1";
    PRUNE_ATTEMPTS = "DELETE FROM attempts WHERE id IN
                        (SELECT id FROM attempts WHERE created_at < ?1 ORDER BY created_at LIMIT 1000)";
    PRUNE_EVENTS = "DELETE FROM events WHERE id IN
                      (SELECT id FROM events WHERE seen_at < ?1 ORDER BY seen_at LIMIT 1000)";

    LINK = "INSERT INTO links
              (id, owner, attempt, type, status, account, read_at, link_state_hash, created_at)
            SELECT ?2, owner, id, ?3, ?4, ?5, ?6, link_state_hash, ?7
            FROM attempts WHERE id = ?1 AND state <> 'linked'
            ON CONFLICT DO NOTHING";
    LINK_AUDIT = "INSERT INTO audit (at, request_id, actor, action, link, outcome)
                  SELECT ?3, ?4, ?5, ?6, ?2, ?7 FROM attempts WHERE id = ?1 AND state <> 'linked'
                    AND EXISTS (SELECT 1 FROM links WHERE links.id = ?2 AND attempt = ?1)";
    LINK_ATTEMPT = "UPDATE attempts SET state = 'linked', link = ?2, open = ?3, current = min(current, ?3)
                    WHERE id = ?1 AND state <> 'linked'
                      AND EXISTS (SELECT 1 FROM links WHERE links.id = ?2 AND attempt = ?1)
                    RETURNING link";
    FIND = "SELECT owner, status, read_at, confirmed_at FROM links WHERE id = ?1";
    LAST = concat!("SELECT ", seen!(), " FROM links WHERE id = ?1");
    RECORD = "UPDATE links SET status = ?2, account = ?3, read_at = ?4
              WHERE id = ?1 AND (read_at <= ?4 OR ?2 = 'deleted') AND status <> 'deleted'";
    RECORD_CLOSE = "UPDATE attempts SET open = 0, current = 0
                    WHERE id = (SELECT attempt FROM links WHERE id = ?1 AND status <> 'pending') AND open = 1";
    RECORD_AUDIT = "INSERT INTO audit (at, request_id, actor, action, link, outcome)
                    SELECT ?2, ?3, ?4, ?5, id, status FROM links WHERE id = ?1 AND read_at = ?2";
    CONFIRM_AUDIT = concat!(
        "INSERT INTO audit (at, request_id, actor, action, link, outcome)
         SELECT ?3, ?4, ?2, 'confirm', id, 'ok' FROM links WHERE ",
        unconfirmed!()
    );
    CONFIRM = concat!("UPDATE links SET confirmed_at = ?3 WHERE ", unconfirmed!(), " RETURNING id");
    CONFIRMED = concat!("SELECT ", seen!(), " FROM links WHERE link_state_hash = ?1 AND owner = ?2");
    CONFIRMATIONS = "SELECT id, confirmed_at FROM links
                     WHERE id IN (SELECT value FROM json_each(?1)) AND confirmed_at IS NOT NULL";

    LIST_OLDEST_FIRST = page!(listed, "ASC", "LIMIT ?6 OFFSET ?7");
    LIST_NEWEST_FIRST = page!(listed, "DESC", "LIMIT ?6 OFFSET ?7");
    LIST_COUNT = count!(listed);
    SEARCH_OLDEST_FIRST = page!(searched, "ASC", "LIMIT ?7 OFFSET ?8");
    SEARCH_NEWEST_FIRST = page!(searched, "DESC", "LIMIT ?7 OFFSET ?8");
    SEARCH_COUNT = count!(searched);

    EVENT_SEEN = "SELECT 1 AS seen FROM events WHERE id = ?1";
    EVENT = "INSERT INTO events (id, seen_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING";

    AUDIT = "INSERT INTO audit (at, request_id, actor, action, link, outcome) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    AUDITED_OLDEST_FIRST = audited!("ASC");
    AUDITED_NEWEST_FIRST = audited!("DESC");
    AUDITED_COUNT = "SELECT count(*) AS total FROM audit WHERE at BETWEEN ?1 AND ?2";
    /// Ids count up from one and no row is deleted, so the last id is the number of rows.
    AUDITED_COUNT_OF_ALL = "SELECT coalesce(max(id), 0) AS total FROM audit";
}
