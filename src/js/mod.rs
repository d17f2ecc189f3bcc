//! The wasm-bindgen surface: what the npm package's JavaScript calls. Each feature is a module of its own.
//!
//! Rust has the rules, the requests and the decisions; JavaScript does the waiting. Futures in here, and readers and makers of
//! JavaScript's objects, took 18 of 42 kilobytes. So texts and lists of texts go in and out, and a request that is ready to
//! be sent.

#[cfg(feature = "validate")]
mod fields;
#[cfg(feature = "js")]
mod request;
#[cfg(feature = "validate")]
mod validate;
#[cfg(feature = "webhook")]
mod webhook;

#[cfg(feature = "js")]
pub use request::{is_link_state, next_poll, request, return_uri};
#[cfg(feature = "validate")]
pub use validate::{check_citizen_id, check_return_uri, id_mode, validate_create};
#[cfg(feature = "webhook")]
pub use webhook::verify;

/// Rather than the standard library's, which takes 3 KB of a compressed module, and is slower.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

/// Without the standard library's, which has three kilobytes of words that nobody would read. (A request's has it: `gloo-net` does.)
#[cfg(all(target_arch = "wasm32", not(feature = "js")))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
