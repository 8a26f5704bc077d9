// What web/split.mjs reads and writes of WebAssembly's binary format: https://webassembly.github.io/spec/core/binary/
const kVector = 0x7b;

/** A number of seven bits a byte, the lowest first (LEB128). */
export function number(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value += (byte & 127) * 2 ** shift;
    if (byte < 128) return [value, at];
  }
}
function encoded(value) {
  const bytes = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  return Buffer.from([...bytes, value]);
}

/** The sections: {id: [begin, end]}. */
function sections(bytes) {
  const found = {};
  for (let at = 8; at < bytes.length; ) {
    const id = bytes[at];
    const [size, begin] = number(bytes, at + 1);
    found[id] = [begin, begin + size];
    at = begin + size;
  }
  return found;
}

/** Reads a vector's items: `item(at)` gives one, and where the next begins. */
function list(bytes, at, item) {
  let count;
  [count, at] = number(bytes, at);
  const items = [];
  for (let i = 0; i < count; ++i) {
    const [value, next] = item(at);
    items.push(value);
    at = next;
  }
  return [items, at];
}

/** How many functions a module imports; whether vectors go in or out of each that it has, imports first; and the code of its own. */
export function parse(bytes) {
  const {1: types, 2: imported, 3: own, 10: code} = sections(bytes);
  const value = (at) => [bytes[at], at + 1];
  const [hasVectors] = list(bytes, types[0], (at) => {
    const [inputs, next] = list(bytes, at + 1, value);
    const [outputs, end] = list(bytes, next, value);
    return [[...inputs, ...outputs].includes(kVector), end];
  });
  const text = (at) => number(bytes, at).reduce((length, begin) => begin + length);
  const limits = (at) => {
    const [, next] = number(bytes, at + 1);
    return bytes[at] & 1 ? number(bytes, next)[1] : next;
  };
  const [imports] = imported ? list(bytes, imported[0], (at) => {
    const kind = text(text(at));
    if (bytes[kind] === 0) return number(bytes, kind + 1);
    if (bytes[kind] === 1) return [undefined, limits(kind + 2)];
    return [undefined, bytes[kind] === 2 ? limits(kind + 1) : kind + 3];
  }) : [[]];
  const functions = imports.filter((type) => type !== undefined);
  const [rest] = list(bytes, own[0], (at) => number(bytes, at));
  const [bodies] = list(bytes, code[0], (at) => {
    const [size, begin] = number(bytes, at);
    return [bytes.subarray(begin, begin + size), begin + size];
  });
  return {bodies, imports: functions.length, functions: [...functions, ...rest].map((type) => ({hasVectors: hasVectors[type]}))};
}

/** The module with these names of its functions, in a section of its own. */
export function withNames(bytes, names) {
  const text = (value) => Buffer.concat([encoded(value.length), Buffer.from(value, 'latin1')]);
  const map = Buffer.concat([encoded(names.length), ...names.flatMap((name, i) => [encoded(i), text(name)])]);
  const content = Buffer.concat([text('name'), Buffer.from([1]), encoded(map.length), map]);
  return Buffer.concat([bytes, Buffer.from([0]), encoded(content.length), content]);
}
