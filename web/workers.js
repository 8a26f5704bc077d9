// What Emscripten's thread support (library_pthread.js) does differently here: a JavaScript library for its --js-library.
//
// Whoever starts the engine makes the workers (src/threads.ts), and so hears of one that cannot start. Emscripten's own way has an
// address in it, of a script that is not there under this name once a bundler has been at work.
LibraryManager.library.$PThread.allocateUnusedWorker = () => {
  PThread.unusedWorkers.push(Module['makeWorker']());
};
