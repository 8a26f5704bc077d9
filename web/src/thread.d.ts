// Emscripten's glue of the variants with threads, which is also the script of their workers: thread.js of the package.
import type {Glue} from './parts.js';
declare const glue: Glue;
export default glue;
