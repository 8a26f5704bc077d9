// The package as an ES module: what imports it waits until the engine has started, so that everything works at once.
import {prepare} from './load.js';

export * from './index.js';

await prepare();
