// Hashes of texts as TensorFlow has them: FarmHash's Fingerprint64, SipHash-2-4 with a key, and what crosses two of them. Numbers are of
// 64 bits, so they are BigInts; sums and products are cut to 64 bits where they are shifted, and at the end.

import {shown} from './given.js';

const cut = (x: bigint): bigint => BigInt.asUintN(64, x);
const rotated = (x: bigint, right: bigint): bigint => {
  const whole = cut(x);
  return (whole >> right) | cut(whole << (64n - right));
};
/** The high bits into the low ones. */
const folded = (x: bigint): bigint => {
  const whole = cut(x);
  return whole ^ (whole >> 47n);
};

const viewOf = (text: string): DataView => new DataView(new TextEncoder().encode(text).buffer);

// ---- FarmHash -----------------------------------------------------------------------------------------------------------------

const k0 = 0xc3a5c85c97cb3127n;
const k1 = 0xb492b66fbe98f273n;
const k2 = 0x9ae16a3b2f90404fn;
type Pair = readonly [bigint, bigint];

/** Two numbers become one. */
const joined = ([u, v]: Pair, mul: bigint): bigint => cut(folded((v ^ folded((u ^ v) * mul)) * mul) * mul);
const stirred = (a: bigint, b: bigint, c: bigint, d: bigint, e: bigint): Pair => [
  cut(rotated(a + b, 43n) + rotated(c, 30n) + d),
  cut(a + rotated(b + e, 18n) + c),
];

/** Fingerprint64 of a text's bytes in UTF-8. */
export function fingerprint(text: string): bigint {
  const view = viewOf(text);
  const length = view.byteLength;
  const n = BigInt(length);
  const mul = k2 + n * 2n;
  // Eight bytes; a place below zero is from the end.
  const at = (i: number) => view.getBigUint64(i < 0 ? length + i : i, true);
  if (length > 64) return ofLong(view, length);
  if (length > 32) {
    const [a, e] = [at(0) * k2, at(16) * mul];
    const [y, rest] = stirred(a, at(8), at(-8) * mul, at(-16) * k2, k2);
    const z = joined([y, rest], mul);
    return joined(stirred(e, at(24), (y + at(-32)) * mul, (z + at(-24)) * mul, a), mul);
  }
  if (length > 16) return joined(stirred(at(0) * k1, at(8), at(-8) * mul, at(-16) * k2, k2), mul);
  if (length >= 8) {
    const [a, b] = [at(0) + k2, at(-8)];
    return joined([cut(rotated(b, 37n) * mul + a), cut((rotated(a, 25n) + b) * mul)], mul);
  }
  if (length >= 4) return joined([n + (BigInt(view.getUint32(0, true)) << 3n), BigInt(view.getUint32(length - 4, true))], mul);
  if (length === 0) return k2;
  const y = view.getUint8(0) + (view.getUint8(length >> 1) << 8);
  const z = length + (view.getUint8(length - 1) << 2);
  return cut(folded((BigInt(y) * k2) ^ (BigInt(z) * k0)) * k2);
}

/** More than 64 bytes: steps of 64, and the last 64 once more. */
function ofLong(view: DataView, length: number): bigint {
  const last = length - 64;
  let x = 81n;
  let y = cut(x * k1 + 113n);
  let z = cut(folded(y * k2 + 113n) * k2);
  let v: Pair = [0n, 0n];
  let w: Pair = [0n, 0n];
  const step = (from: number, mul: bigint, times: bigint) => {
    const at = (i: number) => view.getBigUint64(from + i, true);
    const seeded = (i: number, first: bigint, second: bigint): Pair => {
      const a = first + at(i);
      const sum = a + at(i + 8) + at(i + 16);
      return [cut(sum + at(i + 24)), cut(rotated(second + a + at(i + 24), 21n) + rotated(sum, 44n) + a)];
    };
    x = rotated(x + y + v[0] + at(8), 37n) * mul;
    y = rotated(y + v[1] + at(48), 42n) * mul;
    x = cut(x) ^ cut(w[1] * times);
    y = cut(y + v[0] * times + at(40));
    z = cut(rotated(z + w[0], 33n) * mul);
    v = seeded(0, v[1] * mul, x + w[0]);
    w = seeded(32, z + w[1], y + at(16));
    [x, z] = [z, x];
  };
  x = cut(x * k2 + view.getBigUint64(0, true));
  // The last step has bytes of its own, but for those that a whole number of steps leaves.
  for (let from = 0; from < last; from += 64) step(from, k1, 1n);
  const mul = k1 + ((z & 255n) << 1n);
  w = [w[0] + BigInt((length - 1) & 63), w[1]];
  v = [v[0] + w[0], v[1]];
  w = [w[0] + v[0], w[1]];
  step(last, mul, 9n);
  const [first, second] = [joined([v[0], w[0]], mul), joined([v[1], w[1]], mul)];
  return joined([cut(first + folded(y) * k0 + z), cut(second + x)], mul);
}

// ---- SipHash ------------------------------------------------------------------------------------------------------------------

/** SipHash-2-4 of a text's bytes in UTF-8; the key is two whole numbers. */
export function sipHash(text: string, key: readonly [number, number]): bigint {
  const [first, second] = key.map((k) => cut(BigInt(k))) as [bigint, bigint];
  let [a, b, c, d] = [first ^ 0x736f6d6570736575n, second ^ 0x646f72616e646f6dn, first ^ 0x6c7967656e657261n, second ^ 0x7465646279746573n];
  // Rotations of SipHash are to the left.
  const half = (p: bigint, q: bigint, left: bigint): Pair => {
    const sum = cut(p + q);
    return [sum, rotated(q, 64n - left) ^ sum];
  };
  const rounds = (count: number) => {
    for (let i = 0; i < count; ++i) {
      [a, b] = half(a, b, 13n);
      [c, d] = half(c, d, 16n);
      [a, d] = half(rotated(a, 32n), d, 21n);
      [c, b] = half(c, b, 17n);
      c = rotated(c, 32n);
    }
  };
  const bytes = new TextEncoder().encode(text);
  // Filled up with zeros to eights, the last byte of which is the length.
  const view = new DataView(new ArrayBuffer((bytes.length & ~7) + 8));
  new Uint8Array(view.buffer).set(bytes);
  view.setUint8(view.byteLength - 1, bytes.length);
  for (let i = 0; i < view.byteLength; i += 8) {
    const word = view.getBigUint64(i, true);
    d ^= word;
    rounds(2);
    a ^= word;
  }
  c ^= 255n;
  rounds(4);
  return a ^ b ^ c ^ d;
}

// ---- buckets ------------------------------------------------------------------------------------------------------------------

export type Salt = readonly [number, number];
/** Two whole numbers, or one for both. */
export function saltOf(given: unknown, what: string): Salt | null {
  if (given == null) return null;
  const pair: unknown[] = Array.isArray(given) ? given : [given, given];
  if (pair.length === 2 && pair.every(Number.isSafeInteger)) return pair as unknown as Salt;
  throw new Error(`${what}: salt must be a whole number or a list of two, got ${Array.isArray(given) ? `[${pair}]` : shown(given)}`);
}

/** The bucket of a text. */
export const bucketOf = (text: string, buckets: number, salt: Salt | null): number =>
  Number((salt ? sipHash(text, salt) : fingerprint(text)) % BigInt(buckets));

const kCross = 0xc6a4a7935bd1e995n;
/** The bucket of several texts and whole numbers at once. */
export function crossedBucket(values: readonly (string | number)[], buckets: number): number {
  let hash = 0xdecafcaffen;
  for (const value of values) {
    const one = typeof value === 'string' ? fingerprint(value) : cut(BigInt(value));
    hash = cut((hash ^ kCross ^ cut(folded(one * kCross) * kCross)) * kCross);
    hash = folded(folded(hash) * kCross);
  }
  return Number(hash % BigInt(buckets));
}
