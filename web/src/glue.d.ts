// Emscripten's glue of the variants without threads: web/build.mjs puts it here.
import type {Glue} from './parts.js';
declare const glue: Glue;
export default glue;
