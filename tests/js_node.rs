//! The JavaScript surface in Node.

#![cfg(all(target_arch = "wasm32", feature = "js", feature = "webhook"))]

mod js;
