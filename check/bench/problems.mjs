// fjord_bench_ops in WebAssembly, in Node: for machines that may lack what the native one is built for.
//
//   node --experimental-wasm-relaxed-simd check/bench/problems.mjs --programs 'add: 16384'
import create from '../../build/wasm/relaxed-simd-threads/fjord_bench_ops.mjs';

// It has workers for two threads, and starts no more while it computes.
const args = process.argv.slice(2);
const threads = args.indexOf('--threads');
if (threads >= 0) args[threads + 1] = `${Math.min(2, Number(args[threads + 1]))}`;
await create({arguments: args});
