// The package for a worker that is one script, as Vite makes them, and so cannot wait at its top: the engine starts at the first use, and
// fetches its file there and then, which only a worker may.
import {filesBeside} from './beside.js';
import {provide} from './parts.js';
import glue from './thread.js';

export * from './index.js';

provide({
  files: filesBeside,
  threads: {glue, makeWorker: () => new Worker(new URL('./thread.js', import.meta.url), {type: 'module', name: 'em-pthread'})},
});
