// The package in one file: the variant that runs everywhere is inside, nothing is fetched and nobody waits, so the engine starts at the
// first use. For scripts that are no modules, service workers (which forbid import() and a wait at the top of a module), and
// bundlers that copy no files.
import {text} from './inside.js';
import {provide} from './parts.js';
import {unpack} from './unpack.js';

export * from './index.js';

provide({inside: {variant: 'simd', bytes: () => unpack(text)}});
