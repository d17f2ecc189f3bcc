//! What is told of a panic: where it was. Its message can quote what it stumbled over, so it goes nowhere.

use std::{panic, sync::Once};

use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    /// What an instance shares with rescue.js, which logs the place.
    type State;

    #[wasm_bindgen(thread_local_v2, js_name = __worker_init_state)]
    static STATE: State;

    #[wasm_bindgen(method, setter, js_name = panickedAt)]
    fn set_panicked_at(this: &State, place: &str);
}

/// Takes the place of workers-rs's own hook, which prints the message. Once an instance, before anything can panic.
pub(crate) fn hook() {
    static ONCE: Once = Once::new();

    ONCE.call_once(|| {
        panic::set_hook(Box::new(|info| {
            if let Some(place) = info.location() {
                STATE.with(|state| state.set_panicked_at(&place.to_string()));
            }
        }));
    });
}
