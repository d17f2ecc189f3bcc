//! SQL: every statement that a customer's object gives to its database.

use crate::common::storage::{Sql, statements};

/// The columns of an `Attempt`.
macro_rules! attempt {
    () => {
        "id, fingerprint, state, link, look_from, created_at"
    };
}

/// The columns of a `Seen`.
macro_rules! seen {
    () => {
        "id, status, account, confirmed_at, read_at, created_at"
    };
}

/// The links of a list: first and last time, status, type.
macro_rules! listed {
    () => {
        "created_at BETWEEN ?1 AND ?2 AND (?3 IS NULL OR status = ?3) AND (?4 IS NULL OR type = ?4)"
    };
}

/// The links that a search finds: status, type, first and last day, words. `lower()` folds A to Z only.
macro_rules! searched {
    () => {
        "(?1 IS NULL OR status = ?1) AND (?2 IS NULL OR type = ?2)
         AND (?3 IS NULL OR date(created_at / 1000, 'unixepoch') BETWEEN ?3 AND ?4)
         AND (instr(id, ?5) OR instr(coalesce(account ->> '$.last_digits', ''), ?5)
           OR EXISTS (SELECT 1 FROM json_each(account, '$.metadata') WHERE instr(lower(value), ?5)))"
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

/// The tables.
pub(crate) const SCHEMA: Sql = Sql::new(include_str!("schema.sql"));

statements! {
    HAS_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'meta'";
    FOUND = "INSERT INTO meta (one, version, subject, pseudonym, incarnation, delivered) VALUES (1, 1, ?1, ?2, ?3, 0)";
    SUBJECT = "SELECT subject FROM meta";
    /// The earliest time at which something is due. Entries of the audit go to the audit log within a minute.
    DUE = "SELECT min(at) AS at FROM (
             SELECT min(look_at) AS at FROM attempts WHERE look_at IS NOT NULL
             UNION ALL SELECT min(due_at) FROM links WHERE due_at IS NOT NULL
             UNION ALL SELECT * FROM (SELECT at + ?1 FROM audit WHERE seq > (SELECT delivered FROM meta) ORDER BY seq LIMIT 1)
             UNION ALL SELECT min(created_at) + ?2 FROM attempts
             UNION ALL SELECT min(seen_at) + ?2 FROM events)";

    ATTEMPT_BY_KEY = concat!("SELECT ", attempt!(), " FROM attempts WHERE idempotency_key = ?1");
    ATTEMPT_BY_ID = concat!("SELECT ", attempt!(), " FROM attempts WHERE id = ?1");
    CURRENT_ATTEMPT = concat!("SELECT ", attempt!(), " FROM attempts WHERE type = ?1 AND current = 1");
    /// How many creates were begun since, and when the first of them was.
    BEGUN_SINCE = "SELECT count(*) AS total, coalesce(min(created_at), 0) AS first FROM attempts WHERE created_at > ?1";
    REPLACE = "UPDATE attempts SET current = 0 WHERE type = ?1 AND current = 1";
    BEGIN = "INSERT INTO attempts
               (id, idempotency_key, fingerprint, type, state, current, link_state_hash, look_at, created_at)
             VALUES (?1, ?2, ?3, ?4, 'asked', 1, ?5, ?6, ?7)";
    MOVE = "UPDATE attempts SET state = ?2, current = min(current, ?3), link = ?4, look_at = NULL, look_from = NULL,
              idempotency_key = iif(?2 = 'refused', NULL, idempotency_key)
            WHERE id = ?1";
    /// The attempt whose link is no longer pending.
    SETTLE = "UPDATE attempts SET current = 0 WHERE id = (SELECT attempt FROM links WHERE links.id = ?1) AND current = 1";
    LOOKED = "UPDATE attempts SET look_at = ?2, look_from = ?3 WHERE id = ?1";
    LOOKS_DUE = concat!("SELECT ", attempt!(), " FROM attempts WHERE look_at <= ?1 ORDER BY look_at");
    PRUNE_ATTEMPTS = "DELETE FROM attempts WHERE created_at < ?1";
    PRUNE_EVENTS = "DELETE FROM events WHERE seen_at < ?1";

    LINK = "INSERT INTO links (id, attempt, type, status, account, read_at, link_state_hash, due_at, due_since, created_at)
            SELECT ?2, id, ?3, ?4, ?5, ?6, link_state_hash, ?7, ?7, ?8 FROM attempts WHERE id = ?1";
    FIND = concat!("SELECT ", seen!(), ", deleting FROM links WHERE id = ?1");
    /// While a deletion's outcome is not known, the alarm comes for that.
    RECORD = "UPDATE links SET status = ?2, account = ?3, read_at = ?4, due_at = iif(deleting IS NULL, ?5, due_at),
                due_since = iif(deleting IS NULL, ?5, due_since) WHERE id = ?1";
    LINKS_DUE = "SELECT id, due_since FROM links WHERE due_at <= ?1 ORDER BY due_at";
    LINK_DUE = "UPDATE links SET due_at = ?2 WHERE id = ?1";
    DELETING = "UPDATE links SET deleting = ?2, due_at = ?3, due_since = ?3 WHERE id = ?1";
    /// Only its own intent's outcome is known: another may have begun meanwhile.
    DELETED = "UPDATE links SET deleting = NULL, due_at = ?3, due_since = ?3 WHERE id = ?1 AND deleting = ?2";
    CONFIRM = "UPDATE links SET confirmed_at = ?2 WHERE link_state_hash = ?1";
    CONFIRMED = concat!("SELECT ", seen!(), " FROM links WHERE link_state_hash = ?1");

    LIST_OLDEST_FIRST = page!(listed, "ASC", "LIMIT ?5 OFFSET ?6");
    LIST_NEWEST_FIRST = page!(listed, "DESC", "LIMIT ?5 OFFSET ?6");
    LIST_COUNT = count!(listed);
    SEARCH_OLDEST_FIRST = page!(searched, "ASC", "LIMIT ?6 OFFSET ?7");
    SEARCH_NEWEST_FIRST = page!(searched, "DESC", "LIMIT ?6 OFFSET ?7");
    SEARCH_COUNT = count!(searched);

    EVENT_SEEN = "SELECT 1 AS seen FROM events WHERE id = ?1";
    EVENT = "INSERT INTO events (id, seen_at) VALUES (?1, ?2)";

    AUDIT = "INSERT INTO audit (at, request_id, actor, action, link, outcome) VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING seq";
    /// The outcome of an earlier intent, in the name of whoever had it; once, whoever finds it out first.
    AUDIT_OUTCOME = "INSERT INTO audit (at, request_id, actor, action, link, outcome)
                     SELECT ?2, request_id, actor, action, link, ?3 FROM audit AS intent WHERE seq = ?1 AND NOT EXISTS (
                       SELECT 1 FROM audit WHERE seq > ?1 AND request_id = intent.request_id AND action = intent.action
                         AND outcome IN ('deleted', 'not_deleted'))";
    /// The entries as they are shown, newest first.
    AUDITED = "SELECT seq, json_object('object', 'audit_entry', 'id', incarnation || '-' || seq,
                 'at', strftime('%Y-%m-%dT%H:%M:%SZ', at / 1000, 'unixepoch'), 'request_id', request_id,
                 'customer', pseudonym, 'subject', subject, 'actor', actor, 'action', action,
                 'linked_account', link, 'outcome', outcome) AS entry
               FROM audit, meta WHERE seq < coalesce(?1, 9007199254740991) ORDER BY seq DESC LIMIT ?2";
    /// The first hundred entries of one day that are not in the audit log yet, in their order.
    UNDELIVERED = "WITH next AS (SELECT * FROM audit WHERE seq > (SELECT delivered FROM meta) ORDER BY seq LIMIT 100),
                     day AS (SELECT at / 86400000 AS day FROM next ORDER BY seq LIMIT 1),
                     other AS (SELECT min(seq) AS seq FROM next WHERE at / 86400000 <> (SELECT day FROM day))
                   SELECT date((SELECT day FROM day) * 86400, 'unixepoch') AS day, max(seq) AS last,
                     json_group_array(json_object('seq', seq, 'at', at, 'request_id', request_id, 'actor', actor,
                       'action', action, 'link', link, 'outcome', outcome)) AS rows,
                     (SELECT pseudonym FROM meta) AS pseudonym, (SELECT subject FROM meta) AS subject,
                     (SELECT incarnation FROM meta) AS incarnation
                   FROM next WHERE (SELECT seq FROM other) IS NULL OR seq < (SELECT seq FROM other)
                   HAVING count(*) > 0";
    SENT = "UPDATE meta SET delivered = max(delivered, ?1)";
}
