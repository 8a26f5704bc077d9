// The last module of the package's ES modules: what imports them waits here until the engine has started, so that everything works at once.
import {release, started} from './starting.js';

await started;
release();
