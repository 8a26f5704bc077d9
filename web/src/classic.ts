// The package for <script src> and importScripts(): everything under one global name, `fjord`, or what the tag asks for:
//
//   <script src="fjord.min.js" data-global="tf"></script>
import * as fjord from './single.js';

const script = globalThis.document?.currentScript as HTMLScriptElement | null | undefined;
(globalThis as Record<string, unknown>)[script?.dataset.global || 'fjord'] = fjord;
