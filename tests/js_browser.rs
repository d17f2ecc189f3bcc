//! The JavaScript surface in a browser.

#![cfg(all(target_arch = "wasm32", feature = "js", feature = "webhook"))]

mod js;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
