// web/src/unpack.ts, as it is.
import {readFileSync} from 'node:fs';
import {transformSync} from 'esbuild';

const {code} = transformSync(readFileSync(new URL('../../web/src/unpack.ts', import.meta.url), 'utf8'), {loader: 'ts'});
export const {unpack} = await import(`data:text/javascript,${encodeURIComponent(code)}`);
