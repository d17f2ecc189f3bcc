//! Ways to die, for the tests: a request asks for one in its header `X-Fault`. It may ask for the count of live bytes too. Compiled
//! with the feature `fault` only, and nothing that is shipped has it.

use std::{
    alloc::{GlobalAlloc, Layout},
    cell::RefCell,
    collections::BTreeMap,
    hint::black_box,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use wasm_bindgen::prelude::{Closure, JsValue, wasm_bindgen};

/// Where a request can ask to die: the end of what its header says.
const PLACES: [&str; 3] = ["-in-object", "-in-transaction", "-after-upstream"];
const IN_CALLBACK: &str = "-in-callback";

thread_local! {
    /// Where what is to come, by request id.
    static ARMED: RefCell<BTreeMap<String, (&'static str, String)>> = const { RefCell::new(BTreeMap::new()) };
}

#[wasm_bindgen(inline_js = "
import { waitUntil } from 'cloudflare:workers';
export function throwing() { throw new TypeError('quotes 1101700230708'); }
export function then(callback) { Promise.resolve().then(callback); }
export function linger(url, callback) {
  waitUntil(fetch(url).then(() => { queueMicrotask(callback); return fetch(`${url}/done`); }));
}
")]
extern "C" {
    /// Does not say that it throws, as most functions of the platform's do not.
    fn throwing();
    /// Calls back from a promise.
    fn then(callback: JsValue);
    /// Calls back once the address has answered, be it after the request was, and tells `<url>/done`.
    fn linger(url: &str, callback: JsValue);
}

/// Dies before the request is handled, or sees to it that something does later; `wanted` is the request's `X-Fault`.
///
/// # Errors
///
/// Where that was asked for.
pub(crate) fn before_handler(wanted: Option<String>, request_id: &str) -> worker::Result<()> {
    let Some(wanted) = wanted else { return Ok(()) };
    let place = PLACES.into_iter().find_map(|place| Some((place, wanted.strip_suffix(place)?)));
    if let Some((place, way)) = place {
        ARMED.with_borrow_mut(|armed| armed.insert(request_id.to_owned(), (place, way.to_owned())));
    } else if let Some(way) = wanted.strip_suffix(IN_CALLBACK) {
        let way = way.to_owned();
        then(Closure::once_into_js(move || die(&way)));
    } else if let Some((way, url)) = wanted.strip_prefix("linger ").and_then(|rest| rest.split_once(' ')) {
        let way = way.to_owned();
        linger(url, Closure::once_into_js(move || die(&way)));
    } else if wanted == "live-bytes" {
        worker::console_log!("live bytes: {}", LIVE.load(Relaxed));
    } else if wanted == "error" {
        return Err(worker::Error::RustError("asked for".to_owned()));
    } else {
        die(&wanted);
    }
    Ok(())
}

/// In the object, before it does anything.
pub(crate) fn in_object(request_id: &str) {
    at("-in-object", request_id);
}

/// Between two writes of one transaction.
pub(crate) fn in_transaction(request_id: &str) {
    at("-in-transaction", request_id);
}

/// Once Omise has answered a create or a deletion.
pub(crate) fn after_upstream(request_id: &str) {
    at("-after-upstream", request_id);
}

/// In the alarm of a customer whose subject asks for it: `alarm dies by panic: …`.
pub(crate) fn in_alarm(subject: &str) {
    if let Some((way, _)) = subject.strip_prefix("alarm dies by ").and_then(|rest| rest.split_once(':')) {
        die(way);
    }
}

/// Dies, where the request has asked for it.
fn at(place: &str, request_id: &str) {
    let armed = ARMED.with_borrow_mut(|armed| match armed.get(request_id) {
        Some((asked, _)) if *asked == place => armed.remove(request_id),
        _ => None,
    });
    if let Some((_, way)) = armed {
        die(&way);
    }
}

#[allow(clippy::panic)] // that is the point
fn die(way: &str) {
    match way {
        "panic" => panic!("quotes 1101700230708"),
        #[cfg(target_arch = "wasm32")]
        "unreachable" => core::arch::wasm32::unreachable(),
        // taken, but not written to: the machine that runs the tests is to have it still
        "out-of-memory" => loop {
            std::mem::forget(black_box(Vec::<u8>::with_capacity(1 << 20)));
        },
        // of the engine's stack
        "stack-overflow" => {
            black_box(recurse(1));
        }
        // of Rust's own, in linear memory
        "shadow-stack-overflow" => {
            black_box(recurse_wide(1));
        }
        // from an import that Rust does not know to throw
        "js-throw" => throwing(),
        // as wasm-bindgen throws by itself
        "js-throw-str" => wasm_bindgen::throw_str("quotes 1101700230708"),
        _ => {}
    }
}

#[allow(unconditional_recursion)]
fn recurse(depth: u64) -> u64 {
    black_box(depth) + recurse(depth + 1)
}

#[allow(unconditional_recursion)]
#[allow(clippy::large_stack_arrays)]
fn recurse_wide(depth: u64) -> u64 {
    let wide = black_box([depth; 4_096]);
    recurse_wide(depth + 1) + wide.iter().sum::<u64>()
}

/// Bytes that were allocated, and not freed.
static LIVE: AtomicUsize = AtomicUsize::new(0);

/// An allocator that counts.
pub(crate) struct Counted<A>(pub(crate) A);

// SAFETY: whatever is asked is asked of `A` as it is
#[allow(unsafe_code)]
unsafe impl<A: GlobalAlloc> GlobalAlloc for Counted<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Relaxed);
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { self.0.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LIVE.fetch_add(size, Relaxed);
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { self.0.realloc(at, layout, size) }
    }
}
