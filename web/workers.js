// What Emscripten's thread support (library_pthread.js) does differently here: a JavaScript library for its --js-library.
//
// Whoever starts the engine makes the workers (src/threads.ts), and so hears of one that cannot start. Emscripten's own way has an
// address in it, of a script that is not there under this name once a bundler has been at work.
LibraryManager.library.$PThread.allocateUnusedWorker = () => {
  PThread.unusedWorkers.push(Module['makeWorker']());
};

// A thread's mail comes as messages, as in browsers without Atomics.waitAsync: what waits with that is never given up by JavaScript, and
// keeps the whole memory of an engine that was (tf.reset()).
LibraryManager.library._emscripten_thread_mailbox_await = (_thread) => {};
LibraryManager.library._emscripten_thread_mailbox_await__deps = [];
