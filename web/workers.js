// What Emscripten's thread support (library_pthread.js) does differently here: a JavaScript library for its --js-library.
//
// Whoever starts the engine says how a worker is made (`makeWorker`, in src/threads.ts), and so hears of one that cannot start.
// The URL and the options stand literally in one expression: that is how bundlers find a worker.
LibraryManager.library.$PThread.allocateUnusedWorker = () => {
  PThread.unusedWorkers.push(Module['makeWorker'](() => new Worker(new URL('fjord.mjs', import.meta.url), {type: 'module', name: 'em-pthread'})));
};
