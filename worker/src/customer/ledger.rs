//! What a customer's object has written down: links, attempts, events, audit. The tables are in schema.sql.
//!
//! Nothing here waits: what is asked is still so when it is written, within one transaction, and whatever changes a link or an attempt
//! adds its row to `audit` in the same one. Every write sets the alarm for what is due first.

use std::rc::Rc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::Mac;
use omise_linked_accounts::{
    AccountType, LinkState, LinkedAccount, LinkedAccountId, ListRequest, Order, Reason, Status, Timestamp,
    list::ListParams,
    merge::{Merge, Reading, merge},
    search::{Created, SearchParams},
};
use sha2::{Digest, Sha256};
use wasm_bindgen::JsValue;

use super::{
    attempt::{Event, State},
    memory::Memory,
    over, sql,
};
use crate::common::{
    answer::{Account, Failure, Shown},
    context::{Millis, now, random, timestamp, whole},
    settings::Settings,
    storage::{Row, Sql, Stored, Tables, as_number, corrupt, number, optional},
    trace::Trace,
};

/// The ledger, for one step of a request.
pub(crate) struct Ledger {
    memory: Memory,
    tables: Tables,
    settings: &'static Settings,
    trace: Rc<Trace>,
    /// The session's subject, where the customer calls.
    subject: Option<String>,
    /// Whom the audit names: the token's subject, or nobody.
    actor: Option<String>,
    /// Whether this is the alarm, which sets the next one when all is done.
    is_alarm: bool,
}

/// A create that was begun.
pub(crate) struct Attempt {
    pub(crate) id: String,
    pub(crate) fingerprint: String,
    pub(crate) state: State,
    pub(crate) link: Option<LinkedAccountId>,
    /// Where the look for its account goes on, in JSON.
    pub(crate) look_from: Option<String>,
    pub(crate) created_at: Millis,
}

/// A linked account of the customer's.
pub(crate) struct Link {
    /// As it was last read.
    pub(crate) account: Account,
    /// When that reading began.
    pub(crate) read_at: Millis,
    pub(crate) confirmed_at: Option<Timestamp>,
    /// As Omise says.
    pub(crate) created_at: Millis,
}

impl Link {
    pub(crate) fn is_pending(&self) -> bool {
        self.account.status == Status::Pending
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.account.status == Status::Deleted
    }

    pub(crate) fn shown(&self) -> Result<Shown, Failure> {
        self.account.shown(self.confirmed_at)
    }
}

/// What came of beginning a create.
pub(crate) enum Begun {
    /// A new attempt: ask Omise.
    Started,
    /// The key is known.
    Known(Attempt),
    /// Another attempt of this type is current.
    Pending(Attempt),
    /// There were too many in a day; then there is room again.
    TooMany(Millis),
}

/// What a create is about, for the ledger.
pub(crate) struct NewAttempt<'a> {
    pub(crate) id: &'a str,
    pub(crate) idempotency_key: &'a str,
    pub(crate) fingerprint: &'a str,
    pub(crate) account_type: &'a AccountType,
    pub(crate) replace_pending: bool,
    pub(crate) link_state: &'a LinkState,
}

/// What is to be written down of a deletion whose intent is in the audit.
pub(crate) struct Intent(u64);

impl Ledger {
    /// Opens the ledger, and sees to it that what is due has an alarm.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, and where it is another customer's.
    pub(crate) fn open(
        memory: &Memory,
        settings: &'static Settings,
        trace: Rc<Trace>,
        subject: Option<String>,
        actor: Option<String>,
        is_alarm: bool,
    ) -> Stored<Self> {
        let tables = Tables::new(memory.storage());
        let ledger = Self { memory: memory.clone(), tables, settings, trace, subject, actor, is_alarm };
        if ledger.is_empty() {
            if ledger.tables.first(sql::HAS_TABLES, &[])?.is_none() {
                return Ok(ledger);
            }
            ledger.memory.set_has_tables(true);
        }
        if let Some(subject) = &ledger.subject
            && *subject != ledger.kept_subject()?
        {
            return Err(Failure::new(Reason::Internal).with_log("the object is another customer's"));
        }
        if ledger.memory.alarm().is_none() && !is_alarm {
            ledger.schedule(0)?;
        }
        Ok(ledger)
    }

    /// Whether anything was ever written.
    pub(crate) fn is_empty(&self) -> bool {
        !self.memory.has_tables()
    }

    /// The session's subject, as it was kept with the first row.
    pub(crate) fn kept_subject(&self) -> Stored<String> {
        self.tables.first(sql::SUBJECT, &[])?.ok_or_else(|| corrupt("meta.subject"))?.text("subject")
    }

    /// Sets the alarm for what is due first, but not before `not_before`.
    pub(crate) fn schedule(&self, not_before: Millis) -> Stored<()> {
        let row = self.tables.first(sql::DUE, &[number(over::DELIVERY), number(over::KEPT)])?;
        let Some(due) = row.map(|row| row.optional_number("at")).transpose()?.flatten() else {
            // so that not every call asks
            self.memory.set_alarm(Some(NOTHING_DUE));
            return Ok(());
        };
        let (at, now) = (due.max(not_before), now());
        match self.memory.alarm().filter(|set| set.is_finite()).map(whole) {
            // what is overdue has failed, and the alarm has chosen when to try again
            Some(set) if set > now && (set == at || at <= now) => return Ok(()),
            _ => {}
        }
        self.tables.set_alarm(at)?;
        self.memory.set_alarm(Some(as_number(at)));
        Ok(())
    }

    /// Sets the alarm again where what was due could not be done.
    pub(crate) fn try_later(&self) -> Stored<()> {
        let at = now() + over::DELIVERY;
        self.tables.set_alarm(at)?;
        self.memory.set_alarm(Some(as_number(at)));
        Ok(())
    }

    /// Writes, as a whole or not at all. The first write makes the tables.
    fn write<T>(&self, mut work: impl FnMut() -> Stored<T>) -> Stored<T> {
        let is_first = self.is_empty();
        let done = self.tables.transaction(|| {
            if is_first {
                self.make_tables()?;
            }
            work()
        })?;
        self.memory.set_has_tables(true);
        if !self.is_alarm {
            self.schedule(0)?;
        }
        Ok(done)
    }

    fn make_tables(&self) -> Stored<()> {
        let subject = self.subject.as_deref();
        let subject =
            subject.ok_or_else(|| Failure::new(Reason::Internal).with_log("a first write without a subject"))?;
        let key = self.settings.ledger_keys.first().ok_or(Reason::Internal)?;
        let pseudonym = key.pseudonyms().chain_update(subject.as_bytes()).finalize().into_bytes();
        let pseudonym = URL_SAFE_NO_PAD.encode(pseudonym.get(..16).unwrap_or_default());
        let incarnation = URL_SAFE_NO_PAD.encode(random::<16>()?);
        self.tables.run(sql::SCHEMA, &[])?;
        self.tables.run(sql::FOUND, &[subject.into(), pseudonym.into(), incarnation.into()])
    }

    fn first<T>(&self, sql: Sql, values: &[JsValue], read: impl FnOnce(&Row) -> Stored<T>) -> Stored<Option<T>> {
        if self.is_empty() {
            return Ok(None);
        }
        self.tables.first(sql, values)?.map(|row| read(&row)).transpose()
    }

    /// Begins a create, if nothing stands against it: the key is new, no attempt of this type is current (or it is to be replaced), and
    /// the customer has begun fewer than a day's creates.
    pub(crate) fn begin(&self, new: &NewAttempt<'_>) -> Stored<Begun> {
        let now = now();
        if let Some(attempt) = self.first(sql::ATTEMPT_BY_KEY, &[new.idempotency_key.into()], attempt)? {
            return Ok(Begun::Known(attempt));
        }
        let of_type = JsValue::from(new.account_type.as_str());
        if !new.replace_pending
            && let Some(attempt) = self.first(sql::CURRENT_ATTEMPT, std::slice::from_ref(&of_type), attempt)?
        {
            return Ok(Begun::Pending(attempt));
        }
        let begun = |row: &Row| Ok((row.number("total")?, row.number("first")?));
        let begun = self.first(sql::BEGUN_SINCE, &[number(now.saturating_sub(over::DAY))], begun)?;
        if let Some((total, first)) = begun
            && total >= self.settings.creates_per_day.into()
        {
            return Ok(Begun::TooMany(first + over::DAY));
        }
        let [random] = random()?;
        let look_at = over::first_look(now, self.settings.upstream_deadline, random);
        let values: [JsValue; 7] = [
            new.id.into(),
            new.idempotency_key.into(),
            new.fingerprint.into(),
            of_type.clone(),
            hash(new.link_state).into(),
            number(look_at),
            number(now),
        ];
        self.write(|| {
            if new.replace_pending {
                self.tables.run(sql::REPLACE, std::slice::from_ref(&of_type))?;
            }
            self.tables.run(sql::BEGIN, &values)?;
            #[cfg(feature = "fault")]
            crate::common::fault::in_transaction(&self.trace.request_id);
            self.audit("create", None, "begun")?;
            Ok(Begun::Started)
        })
    }

    /// The attempt of this id.
    pub(crate) fn attempt(&self, id: &str) -> Stored<Option<Attempt>> {
        self.first(sql::ATTEMPT_BY_ID, &[id.into()], attempt)
    }

    /// Attempts that are to be looked for by now.
    pub(crate) fn looks_due(&self, now: Millis) -> Stored<Vec<Attempt>> {
        self.tables.all(sql::LOOKS_DUE, &[number(now)])?.iter().map(attempt).collect()
    }

    /// Remembers when an attempt is looked for next, and where the look goes on.
    pub(crate) fn looked(&self, attempt: &str, next: Option<Millis>, from: Option<&str>) -> Stored<()> {
        let values = [attempt.into(), next.map_or(JsValue::NULL, number), optional(from)];
        self.write(|| self.tables.run(sql::LOOKED, &values))
    }

    /// Omise refused: the attempt made nothing, and its key is free again.
    pub(crate) fn refused(&self, attempt: &str, reason: Reason) -> Stored<()> {
        self.trace.ledger("refused");
        self.write(|| {
            self.move_attempt(attempt, Event::Refused, None)?;
            self.audit("create", None, reason.as_str()).map(drop)
        })
    }

    /// Omise's answer is not known: the attempt stays as it is, in doubt.
    pub(crate) fn doubted(&self) -> Stored<()> {
        self.trace.ledger("in_doubt");
        self.write(|| self.audit("create", None, Reason::OutcomeUnknown.as_str()).map(drop))
    }

    /// The quiet period is over: the customer is free, though an account may still be found, which is looked for at `next`.
    pub(crate) fn abandon(&self, attempt: &str, next: Option<Millis>) -> Stored<()> {
        // an orphan is looked for from where it most likely is
        let look: [JsValue; 3] = [attempt.into(), next.map_or(JsValue::NULL, number), JsValue::NULL];
        self.write(|| {
            if self.move_attempt(attempt, Event::Over, None)? {
                self.tables.run(sql::LOOKED, &look)?;
                self.trace.ledger("abandoned");
                self.audit("abandon", None, "ok")?;
            }
            Ok(())
        })
    }

    /// Moves an attempt, as attempt.rs says; whether it moved.
    fn move_attempt(&self, id: &str, event: Event, link: Option<(&str, bool)>) -> Stored<bool> {
        let Some(found) = self.attempt(id)? else { return Ok(false) };
        let Some(state) = found.state.after(event) else { return Ok(false) };
        let is_pending = link.is_some_and(|(_, is_pending)| is_pending);
        let link = optional(link.map(|(id, _)| id));
        self.tables.run(sql::MOVE, &[id.into(), state.as_str().into(), number(is_pending.into()), link])?;
        Ok(true)
    }

    /// The attempt made this account, as a reading that began at `read_at` says; gives it as its owner sees it.
    ///
    /// An attempt that is no longer current stays so: its link is its owner's all the same. Of several that found the account the first
    /// is taken: what the others read may be older than what is known by now. `event` is the webhook's that brought it about.
    ///
    /// # Errors
    ///
    /// Where the account is another attempt's already, or the attempt has another: whatever Omise says, it stays so.
    pub(crate) fn link(
        &self,
        attempt: &str,
        account: LinkedAccount,
        read_at: Millis,
        action: &'static str,
        event: Option<&str>,
    ) -> Stored<Account> {
        let others = || Failure::new(Reason::UpstreamUnreadable).with_log("the account is another attempt's");
        self.trace.ledger(action);
        let found = self.attempt(attempt)?.ok_or_else(others)?;
        if let Some(linked) = &found.link {
            return if *linked == account.id { Ok(Account::of(account)) } else { Err(others()) };
        }
        if self.find(&account.id)?.is_some() {
            return Err(others());
        }
        let due = due(&account)?;
        let (account_type, created_at) = (JsValue::from(account.account_type.as_str()), account.created_at);
        let account = Account::of(account);
        let id = account.id.as_str();
        let values = [
            attempt.into(),
            id.into(),
            account_type,
            account.status.as_str().into(),
            account.json.as_str().into(),
            number(read_at),
            due,
            first_millis(created_at),
        ];
        self.write(|| {
            self.tables.run(sql::LINK, &values)?;
            self.move_attempt(attempt, Event::Found, Some((id, account.status == Status::Pending)))?;
            if let Some(event) = event {
                self.seen(event)?;
            }
            self.audit(action, Some(id), account.status.as_str()).map(drop)
        })?;
        self.memory.wake();
        Ok(account)
    }

    /// The customer's link of this id.
    pub(crate) fn find(&self, id: &LinkedAccountId) -> Stored<Option<Link>> {
        self.first(sql::FIND, &[id.as_str().into()], link)
    }

    /// As [`Self::find`], for one that was found before.
    pub(crate) fn found(&self, id: &LinkedAccountId) -> Stored<Link> {
        self.find(id)?.ok_or_else(|| corrupt("links.id"))
    }

    /// Takes a reading that began at `read_at`, if it is newer than what is there; whether the status is another now.
    ///
    /// Nothing is written where the customer would see nothing new, but for `event`, the webhook's that brought the reading about.
    pub(crate) fn take(
        &self,
        account: LinkedAccount,
        read_at: Millis,
        action: &'static str,
        event: Option<&str>,
    ) -> Stored<bool> {
        let due = due(&account)?;
        let account = Account::of(account);
        let (changed, is_news) = self.compare(&account, read_at)?;
        if !changed && event.is_none() {
            return Ok(false);
        }
        let outcome = if is_news { account.status.as_str() } else { "unchanged" };
        self.write(|| {
            if changed {
                self.record(&account, read_at, &due)?;
            }
            if let Some(event) = event {
                self.seen(event)?;
            }
            if is_news || event.is_some() {
                self.audit(action, Some(account.id.as_str()), outcome)?;
            }
            Ok(())
        })?;
        if is_news {
            self.trace.ledger(action);
            self.memory.wake();
        }
        Ok(is_news)
    }

    /// Whether a reading is to be written, and whether its status is news.
    fn compare(&self, account: &Account, read_at: Millis) -> Stored<(bool, bool)> {
        let link = self.found(&account.id)?;
        let stored = Reading { began_at: link.read_at, status: &link.account.status };
        match merge(stored, Reading { began_at: read_at, status: &account.status }) {
            Merge::Keep => return Ok((false, false)),
            Merge::Take => {}
            Merge::TakeUnexpected => {
                self.trace.note(&format!("unexpected: {} became {}", link.account.status, account.status));
            }
        }
        let is_news = link.account.status != account.status;
        Ok((is_news || link.account.json != account.json, is_news))
    }

    fn record(&self, account: &Account, read_at: Millis, due: &JsValue) -> Stored<()> {
        let id = JsValue::from(account.id.as_str());
        let status = account.status.as_str().into();
        self.tables
            .run(sql::RECORD, &[id.clone(), status, account.json.as_str().into(), number(read_at), due.clone()])?;
        if account.status != Status::Pending {
            self.tables.run(sql::SETTLE, &[id])?;
        }
        Ok(())
    }

    /// Writes down that an account is to be deleted, before Omise is asked. If nobody lives to write the outcome, the alarm does.
    pub(crate) fn intend_deletion(&self, id: &LinkedAccountId) -> Stored<Intent> {
        let [random] = random()?;
        let look_at = over::deletion_look(now(), self.settings.upstream_deadline, random);
        self.write(|| {
            let seq = self.audit("delete", Some(id.as_str()), "begun")?;
            self.tables.run(sql::DELETING, &[id.as_str().into(), number(seq), number(look_at)])?;
            Ok(Intent(seq))
        })
    }

    /// The deletion whose outcome nobody has written down.
    pub(crate) fn intent(&self, id: &LinkedAccountId) -> Stored<Option<Intent>> {
        let deleting = |row: &Row| row.optional_number("deleting");
        Ok(self.first(sql::FIND, &[id.as_str().into()], deleting)?.flatten().map(Intent))
    }

    /// The account is deleted: a reading, or the answer to the deletion, that began at `read_at`.
    pub(crate) fn deleted(&self, intent: &Intent, account: &Account, read_at: Millis) -> Stored<()> {
        self.trace.ledger("delete");
        let (changed, _) = self.compare(account, read_at)?;
        self.write(|| {
            if changed {
                self.record(account, read_at, &JsValue::NULL)?;
            }
            self.end(account.id.as_str(), intent, account.status.as_str(), None)
        })?;
        self.memory.wake();
        Ok(())
    }

    /// The account was not deleted, which is certain.
    pub(crate) fn not_deleted(&self, intent: &Intent, id: &LinkedAccountId, outcome: &str) -> Stored<()> {
        let link = self.found(id)?;
        let account =
            serde_json::from_str::<LinkedAccount>(&link.account.json).map_err(|_| corrupt("links.account"))?;
        let due = pending_until(&account)?;
        self.write(|| self.end(id.as_str(), intent, outcome, due))
    }

    fn end(&self, id: &str, Intent(seq): &Intent, outcome: &str, due: Option<Millis>) -> Stored<()> {
        self.tables.run(sql::AUDIT_OUTCOME, &[number(*seq), number(now()), outcome.into()])?;
        self.tables.run(sql::DELETED, &[id.into(), number(*seq), due.map_or(JsValue::NULL, number)])
    }

    /// Links that the alarm is to read by now, each with the time since when it has been trying.
    pub(crate) fn links_due(&self, now: Millis) -> Stored<Vec<(LinkedAccountId, Millis)>> {
        let due = |row: &Row| {
            let id = LinkedAccountId::parse(&row.text("id")?).map_err(|_| corrupt("links.id"))?;
            Ok((id, row.optional_number("due_since")?.unwrap_or(now)))
        };
        self.tables.all(sql::LINKS_DUE, &[number(now)])?.iter().map(due).collect()
    }

    /// When the alarm is to read a link next.
    pub(crate) fn read_again(&self, id: &LinkedAccountId, next: Option<Millis>) -> Stored<()> {
        self.write(|| self.tables.run(sql::LINK_DUE, &[id.as_str().into(), next.map_or(JsValue::NULL, number)]))
    }

    /// Confirms the link that this return belongs to, once and unless it was deleted; `None` where it is not this customer's.
    pub(crate) fn confirm(&self, state: &LinkState) -> Stored<Option<Link>> {
        let hash: JsValue = hash(state).into();
        let Some(found) = self.first(sql::CONFIRMED, std::slice::from_ref(&hash), link)? else { return Ok(None) };
        if found.confirmed_at.is_some() || found.is_deleted() {
            return Ok(Some(found));
        }
        self.write(|| {
            self.tables.run(sql::CONFIRM, &[hash.clone(), number(now())])?;
            self.audit("confirm", Some(found.account.id.as_str()), "ok").map(drop)
        })?;
        self.trace.ledger("confirm");
        self.memory.wake();
        self.find(&found.account.id)
    }

    /// A part of the customer's accounts, as last read, and how many there are in all.
    pub(crate) fn list(&self, request: &ListRequest) -> Stored<(Vec<Shown>, u64)> {
        let ListParams { limit, offset, order, from, to } = request.params;
        let values = [
            from.map_or(number(0), first_millis),
            to.map_or(END_OF_TIME.into(), last_millis),
            optional(request.status.as_ref().map(Status::as_str)),
            optional(request.account_type.as_ref().map(AccountType::as_str)),
        ];
        let page = ordered(order, sql::LIST_OLDEST_FIRST, sql::LIST_NEWEST_FIRST);
        self.page(page, sql::LIST_COUNT, &values, limit, u64::from(offset))
    }

    /// A page of those of the customer's accounts that are looked for, as last read, and how many there are in all.
    pub(crate) fn search(&self, params: &SearchParams) -> Stored<(Vec<Shown>, u64)> {
        let (first, last) = params.filters.created.as_ref().map(Created::days).unzip();
        let values = [
            optional(params.filters.status.as_ref().map(Status::as_str)),
            optional(params.filters.account_type.as_ref().map(AccountType::as_str)),
            optional(first.as_deref()),
            optional(last.as_deref()),
            params.query.to_ascii_lowercase().into(),
        ];
        let offset = u64::from(params.page.saturating_sub(1)) * u64::from(params.per_page);
        let page = ordered(params.order, sql::SEARCH_OLDEST_FIRST, sql::SEARCH_NEWEST_FIRST);
        self.page(page, sql::SEARCH_COUNT, &values, params.per_page, offset)
    }

    fn page(&self, page: Sql, count: Sql, values: &[JsValue], limit: u32, offset: u64) -> Stored<(Vec<Shown>, u64)> {
        if self.is_empty() {
            return Ok((Vec::new(), 0));
        }
        let part = [values, &[number(limit.into()), number(offset)]].concat();
        let rows = self.tables.all(page, &part)?;
        let total = match rows.first() {
            Some(row) => row.number("total")?,
            None if offset == 0 => 0,
            // past the end
            None => self.tables.first(count, values)?.ok_or_else(|| corrupt("total"))?.number("total")?,
        };
        let accounts: Stored<_> = rows.iter().map(|row| link(row)?.shown()).collect();
        Ok((accounts?, total))
    }

    /// Whether a webhook's event was dealt with before.
    pub(crate) fn has_seen(&self, event: &str) -> Stored<bool> {
        Ok(self.first(sql::EVENT_SEEN, &[event.into()], |_| Ok(()))?.is_some())
    }

    fn seen(&self, event: &str) -> Stored<()> {
        self.tables.run(sql::EVENT, &[event.into(), number(now())])
    }

    /// Adds an entry to the audit by itself.
    pub(crate) fn note(&self, action: &str, id: Option<&str>, outcome: &str) -> Stored<()> {
        self.write(|| self.audit(action, id, outcome).map(drop))
    }

    fn audit(&self, action: &str, id: Option<&str>, outcome: &str) -> Stored<u64> {
        let values = [
            number(now()),
            self.trace.request_id.as_str().into(),
            optional(self.actor.as_deref()),
            action.into(),
            optional(id),
            outcome.into(),
        ];
        self.tables.first(sql::AUDIT, &values)?.ok_or_else(|| corrupt("audit.seq"))?.number("seq")
    }

    /// A part of the audit, newest first: each entry in JSON, and the number of the last of them.
    pub(crate) fn audited(&self, before: Option<u64>, limit: u32) -> Stored<(Vec<String>, Option<u64>)> {
        if self.is_empty() {
            return Ok((Vec::new(), None));
        }
        let rows = self.tables.all(sql::AUDITED, &[before.map_or(JsValue::NULL, number), number(limit.into())])?;
        let last = rows.last().map(|row| row.number("seq")).transpose()?;
        let entries: Stored<_> = rows.iter().map(|row| row.text("entry")).collect();
        Ok((entries?, last))
    }

    /// The next entries that are to go to the audit log.
    pub(crate) fn undelivered(&self) -> Stored<Option<Batch>> {
        let batch = |row: &Row| {
            Ok(Batch {
                day: row.text("day")?,
                last: row.number("last")?,
                rows: row.text("rows")?,
                pseudonym: row.text("pseudonym")?,
                subject: row.text("subject")?,
                incarnation: row.text("incarnation")?,
            })
        };
        self.first(sql::UNDELIVERED, &[], batch)
    }

    /// The audit log has the entries up to this one.
    pub(crate) fn delivered(&self, last: u64) -> Stored<()> {
        self.write(|| self.tables.run(sql::SENT, &[number(last)]))
    }

    /// Drops the keys of attempts, and the events, that are too old to matter.
    pub(crate) fn prune(&self, now: Millis) -> Stored<()> {
        let before = number(now.saturating_sub(over::KEPT));
        self.write(|| {
            self.tables.run(sql::PRUNE_ATTEMPTS, std::slice::from_ref(&before))?;
            self.tables.run(sql::PRUNE_EVENTS, std::slice::from_ref(&before))
        })
    }
}

/// Entries of the audit that go to the audit log together.
pub(crate) struct Batch {
    /// The UTC day of all of them, `2026-11-30`.
    pub(crate) day: String,
    pub(crate) last: u64,
    /// A JSON array.
    pub(crate) rows: String,
    pub(crate) pseudonym: String,
    pub(crate) subject: String,
    pub(crate) incarnation: String,
}

fn attempt(row: &Row) -> Stored<Attempt> {
    let link = row.optional_text("link")?.map(|id| LinkedAccountId::parse(&id).map_err(|_| corrupt("attempts.link")));
    Ok(Attempt {
        id: row.text("id")?,
        fingerprint: row.text("fingerprint")?,
        state: State::parse(&row.text("state")?).ok_or_else(|| corrupt("attempts.state"))?,
        link: link.transpose()?,
        look_from: row.optional_text("look_from")?,
        created_at: row.number("created_at")?,
    })
}

fn link(row: &Row) -> Stored<Link> {
    Ok(Link {
        account: Account {
            id: LinkedAccountId::parse(&row.text("id")?).map_err(|_| corrupt("links.id"))?,
            status: Status::from(row.text("status")?.as_str()),
            json: row.text("account")?,
        },
        read_at: row.number("read_at")?,
        confirmed_at: row.optional_number("confirmed_at")?.map(timestamp).transpose()?,
        created_at: row.number("created_at")?,
    })
}

/// When the alarm reads a pending account: once, after its registration is over.
fn pending_until(account: &LinkedAccount) -> Stored<Option<Millis>> {
    if account.status != Status::Pending {
        return Ok(None);
    }
    let [random] = random()?;
    let expires_at = account.expires_at.map_or_else(|| account.created_at.as_unix() + 86_400, Timestamp::as_unix);
    let expires_at = u64::try_from(expires_at).unwrap_or_default() * 1_000;
    Ok(Some(over::reading_after(expires_at.max(now()), random)))
}

fn due(account: &LinkedAccount) -> Stored<JsValue> {
    Ok(pending_until(account)?.map_or(JsValue::NULL, number))
}

const fn ordered(order: Order, oldest_first: Sql, newest_first: Sql) -> Sql {
    match order {
        Order::Chronological => oldest_first,
        Order::ReverseChronological => newest_first,
    }
}

fn hash(state: &LinkState) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(state.expose()))
}

/// The alarm where nothing is due until something is written.
const NOTHING_DUE: f64 = f64::INFINITY;

/// Later than every time in the ledger.
const END_OF_TIME: f64 = 9_007_199_254_740_991.0;

/// A second's first millisecond: times are shown in whole seconds.
#[allow(clippy::cast_precision_loss)] // seconds of a calendar that ends with the year 9999
fn first_millis(at: Timestamp) -> JsValue {
    JsValue::from_f64(at.as_unix() as f64 * 1_000.0)
}

/// A second's last millisecond, so that a bound includes what is shown with it.
#[allow(clippy::cast_precision_loss)]
fn last_millis(at: Timestamp) -> JsValue {
    JsValue::from_f64(at.as_unix() as f64 * 1_000.0 + 999.0)
}
