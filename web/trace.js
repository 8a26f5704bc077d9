// What the engine calls in JavaScript (engine/abi/abi.h): a JavaScript library for Emscripten's --js-library. src/trace.ts has the function.
LibraryManager.library.fj_trace = (number, inputs, count, training) => Module['trace'](number, inputs, count, training);
