// Every step of Rust's is a microtask. The runtime's own function for them is a call out of JavaScript; a promise's callback is not,
// and takes half the time. What goes wrong in one is reported alike.

const done = Promise.resolve();
globalThis.queueMicrotask = (task) => {
  void done.then(() => {
    try {
      task();
    } catch (error) {
      reportError(error);
    }
  });
};
