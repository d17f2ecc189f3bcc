//! The Cloudflare Worker between a shop's pages and Omise: it holds the secret key, knows who owns which linked account, and
//! lets a customer see and unlink their own.
//!
//! | folder | what runs there |
//! |---|---|
//! | `edge/` | where a request arrives: who calls, what is asked, and the answer |
//! | `customer/` | in the Durable Object of one customer: ledger, creates, readings, deletions |
//! | `audit_log.rs` | in the Durable Object of one day: what was done, of all customers |
//! | `common/` | in all of them: settings, answers, the call to Omise |
//!
//! `edge` and `customer` know each other by `common/call.rs` alone.

// What JavaScript calls is public for wasm-bindgen, and for nobody else.
#[allow(unreachable_pub)]
mod audit_log;
mod common;
#[allow(unreachable_pub)]
mod customer;
#[allow(unreachable_pub)]
mod edge;
#[cfg(test)]
mod facts;

/// Rather than the standard library's, which is larger, and no quicker.
#[cfg(all(target_arch = "wasm32", not(feature = "fault")))]
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

#[cfg(all(target_arch = "wasm32", feature = "fault"))]
#[global_allocator]
static ALLOCATOR: common::fault::Counted<talc::wasm::WasmDynamicTalc> =
    common::fault::Counted(talc::wasm::new_wasm_dynamic_allocator());
