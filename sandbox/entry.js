// The module that workerd loads: calls the sandbox in Rust, and gives it a new instance after a panic or a trap.

import * as rust from "./build/index.js";

const state = rust.__worker_init_state();

// Rust runs in microtasks, so most of what kills an instance is seen here and by no caller.
addEventListener("error", ({ error }) => {
  if (error instanceof WebAssembly.RuntimeError) state.criticalError = true;
});

/** The exports of an instance that lives. */
function living() {
  if (state.criticalError) {
    rust.__wbg_reset_state();
    state.criticalError = false;
  }
  return rust;
}

export default {
  /**
   * @param {Request} request
   * @param {object} env
   * @param {object} ctx
   */
  fetch: (request, env, ctx) => living().fetch(request, env, ctx),

  /**
   * @param {object} controller
   * @param {object} env
   * @param {object} ctx
   */
  scheduled: (controller, env, ctx) => living().scheduled(controller, env, ctx),
};
