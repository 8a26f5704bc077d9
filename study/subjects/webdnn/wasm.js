// The dense kernel as a WebAssembly module, put together from its instructions: there is no compiler on the way from here to a
// browser, and what a compiler made does not belong into a repository.
//
//   const {instance} = await WebAssembly.instantiate(denseModule(1 << 20));
//   const {memory, dense} = instance.exports;   // memory of at least that many bytes
//   dense(x, w, b, y, stride, outputs, floor);  // addresses in bytes; y = max(w x + b, floor), w [outputs][stride bytes]
//
// `outputs` is a multiple of four: four rows are multiplied in one loop, so that x is read once for them. No SIMD, as in
// WebDNN's time.

const unsigned = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...unsigned(n >>> 7)]);
const sized = (bytes) => [...unsigned(bytes.length), ...bytes];
const text = (name) => sized([...name].map((c) => c.charCodeAt(0)));
const section = (id, ...entries) => [id, ...sized([...unsigned(entries.length), ...entries.flat()])];

const i32 = 0x7f;
const f32 = 0x7d;
const types = {
  ...{x: i32, w: i32, b: i32, y: i32, stride: i32, outputs: i32, floor: f32},
  ...{at: i32, end: i32, row0: i32, row1: i32, row2: i32, row3: i32},
  ...{v: f32, sum0: f32, sum1: f32, sum2: f32, sum3: f32},
};
const names = Object.keys(types);
const parameters = 7;
const four = [0, 1, 2, 3];

const get = (name) => [0x20, names.indexOf(name)];
const set = (name, value) => [...value, 0x21, names.indexOf(name)];
/** 0 to 63. */
const number = (n) => [0x41, n];
const plus = (a, b) => [...a, ...b, 0x6a];
const minus = (a, b) => [...a, ...b, 0x6b];
const less = (a, b) => [...a, ...b, 0x49];
const advance = (name, bytes) => set(name, plus(get(name), number(bytes)));
// Floats lie at multiples of 4 = 1 << 2.
const load = (address, offset = 0) => [...address, 0x2a, 2, offset];
const store = (address, offset, value) => [...address, ...value, 0x38, 2, offset];
const plusFloat = (a, b) => [...a, ...b, 0x92];
const times = (a, b) => [...a, ...b, 0x94];
const larger = (a, b) => [...a, ...b, 0x97];
/** Once, and again while the condition holds. */
const loop = (body, condition) => [0x03, 0x40, ...body.flat(), ...condition, 0x0d, 0, 0x0b];

const dot = loop(
  [
    set('v', load(get('at'))),
    ...four.map((i) => set(`sum${i}`, plusFloat(get(`sum${i}`), times(get('v'), load(get(`row${i}`)))))),
    advance('at', 4),
    ...four.map((i) => advance(`row${i}`, 4)),
  ],
  less(get('at'), get('end')),
);

const body = loop(
  [
    set('at', get('x')),
    set('end', plus(get('x'), get('stride'))),
    set('row0', get('w')),
    ...[1, 2, 3].map((i) => set(`row${i}`, plus(get(`row${i - 1}`), get('stride')))),
    ...four.map((i) => set(`sum${i}`, load(get('b'), 4 * i))),
    dot,
    ...four.map((i) => store(get('y'), 4 * i, larger(get(`sum${i}`), get('floor')))),
    // Where the fourth row ends, the next four begin.
    set('w', get('row3')),
    advance('b', 16),
    advance('y', 16),
    set('outputs', minus(get('outputs'), number(4))),
  ],
  get('outputs'),
);

export function denseModule(bytes) {
  const pages = Math.ceil(bytes / 65536);
  const locals = names.slice(parameters).map((name) => [1, types[name]]);
  return new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [0x60, ...sized(names.slice(0, parameters).map((name) => types[name])), 0]),
    ...section(3, [0]),
    ...section(5, [0, ...unsigned(pages)]),
    ...section(7, [...text('memory'), 2, 0], [...text('dense'), 0, 0]),
    ...section(10, sized([...unsigned(locals.length), ...locals.flat(), ...body, 0x0b])),
  ]);
}
