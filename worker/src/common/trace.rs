//! What one request did, for its line in the log and its `Server-Timing`.
//!
//! A customer's object works on a request in steps, between which no Rust lives: what was done so far goes from one to the next in
//! `Spent`, which JavaScript holds.

use std::cell::{Cell, RefCell};

use serde::Serialize;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::console_log;

use super::context::{Millis, now};

/// The most of any text that goes into a line, in bytes: what Omise or the database says may be long.
const MAX_TEXT: usize = 1_000;

/// One request, while it is worked on.
pub(crate) struct Trace {
    pub(crate) request_id: String,
    started: Millis,
    upstream_calls: Cell<u32>,
    upstream_ms: Cell<Millis>,
    ledger_ms: Cell<Millis>,
    ledger: Cell<Option<&'static str>>,
    notes: RefCell<String>,
}

#[wasm_bindgen]
extern "C" {
    /// What a request has done in earlier steps.
    pub(crate) type Spent;

    #[wasm_bindgen(method, getter, js_name = upstreamCalls)]
    fn upstream_calls(this: &Spent) -> u32;
    #[wasm_bindgen(method, setter, js_name = upstreamCalls)]
    fn set_upstream_calls(this: &Spent, calls: u32);
    #[wasm_bindgen(method, getter, js_name = upstreamMs)]
    fn upstream_ms(this: &Spent) -> u32;
    #[wasm_bindgen(method, setter, js_name = upstreamMs)]
    fn set_upstream_ms(this: &Spent, ms: u32);
    #[wasm_bindgen(method, getter)]
    fn notes(this: &Spent) -> String;
    #[wasm_bindgen(method, setter)]
    fn set_notes(this: &Spent, notes: &str);
}

/// Who writes a line.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Part {
    Edge,
    Customer,
}

/// One line of the log: JSON.
#[derive(Serialize)]
struct Line<'a> {
    request_id: &'a str,
    part: Part,
    route: &'a str,
    status: u16,
    reason: Option<&'a str>,
    /// What the ledger did, where it changed.
    ledger: Option<&'a str>,
    detail: Option<&'a str>,
    ms: Millis,
    upstream_calls: u32,
    upstream_ms: Millis,
    ledger_ms: Millis,
}

impl Trace {
    pub(crate) fn start(request_id: String) -> Self {
        Self {
            request_id,
            started: now(),
            upstream_calls: Cell::new(0),
            upstream_ms: Cell::new(0),
            ledger_ms: Cell::new(0),
            ledger: Cell::new(None),
            notes: RefCell::default(),
        }
    }

    /// Goes on with a request that began at `started`.
    pub(crate) fn resume(request_id: String, started: Millis, spent: &Spent) -> Self {
        let trace = Self { started, ..Self::start(request_id) };
        trace.upstream_calls.set(spent.upstream_calls());
        trace.upstream_ms.set(spent.upstream_ms().into());
        trace.notes.replace(spent.notes());
        trace
    }

    /// Hands over to the next step.
    pub(crate) fn suspend(&self, spent: &Spent) {
        spent.set_upstream_calls(self.upstream_calls.get());
        spent.set_upstream_ms(u32::try_from(self.upstream_ms.get()).unwrap_or(u32::MAX));
        spent.set_notes(&self.notes.borrow());
    }

    pub(crate) fn upstream_took(&self, calls: u32, ms: Millis) {
        self.upstream_calls.set(self.upstream_calls.get() + calls);
        self.upstream_ms.set(self.upstream_ms.get() + ms);
    }

    /// A customer's object took so long, part of it for calls to Omise.
    pub(crate) fn object_took(&self, ms: Millis, upstream_calls: u32, upstream_ms: Millis) {
        self.upstream_took(upstream_calls, upstream_ms);
        self.ledger_ms.set(self.ledger_ms.get() + ms.saturating_sub(upstream_ms));
    }

    /// The ledger changed; the last change is the one that the line tells.
    pub(crate) fn ledger(&self, what: &'static str) {
        self.ledger.set(Some(what));
    }

    /// Something that an operator should know, though the request goes on.
    pub(crate) fn note(&self, text: &str) {
        let mut notes = self.notes.borrow_mut();
        if !notes.is_empty() {
            notes.push_str("; ");
        }
        notes.push_str(&printable(text));
    }

    pub(crate) fn upstream_calls(&self) -> u32 {
        self.upstream_calls.get()
    }

    pub(crate) fn upstream_ms(&self) -> Millis {
        self.upstream_ms.get()
    }

    pub(crate) fn ms(&self) -> Millis {
        now().saturating_sub(self.started)
    }

    /// The value of `Server-Timing` (W3C), in milliseconds.
    pub(crate) fn server_timing(&self) -> String {
        let (upstream, ledger) = (self.upstream_ms.get(), self.ledger_ms.get());
        format!("total;dur={}, upstream;dur={upstream}, ledger;dur={ledger}", self.ms())
    }

    /// Writes the line.
    pub(crate) fn log(&self, part: Part, route: &str, status: u16, reason: Option<&str>, detail: Option<&str>) {
        if let Some(detail) = detail {
            self.note(detail);
        }
        let notes = self.notes.borrow();
        let line = Line {
            request_id: &self.request_id,
            part,
            route,
            status,
            reason,
            ledger: self.ledger.get(),
            detail: Some(cut(&notes)).filter(|text| !text.is_empty()),
            ms: self.ms(),
            upstream_calls: self.upstream_calls.get(),
            upstream_ms: self.upstream_ms.get(),
            ledger_ms: self.ledger_ms.get(),
        };
        // a struct of texts and numbers always serialises
        console_log!("{}", serde_json::to_string(&line).unwrap_or_default());
    }
}

/// The text without what a terminal or a viewer of logs would obey: JSON escapes no control character above U+001F.
pub(crate) fn printable(text: &str) -> String {
    let obeyed = |c: char| {
        // lines and paragraphs end at some, others turn the direction of what follows
        c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if obeyed(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// At most [`MAX_TEXT`] bytes, cut between characters.
fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_only_read() {
        let text = "ก\n\u{1b}[2J\u{7f}\u{9b}1m\u{2028}\u{202e}\u{2069}é";
        assert_eq!(printable(text), "ก\u{fffd}\u{fffd}[2J\u{fffd}\u{fffd}1m\u{fffd}\u{fffd}\u{fffd}é");
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        let long = format!("{}ก", "x".repeat(MAX_TEXT - 1));
        assert_eq!(cut(&long), "x".repeat(MAX_TEXT - 1));
    }
}
