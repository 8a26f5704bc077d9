// Files for the tests of the command line, written by the letter of each format: idx, PNG, PGM.
import {readFileSync} from 'node:fs';
import path from 'node:path';
import {crc32 as zlibCrc32, deflateSync} from 'node:zlib';

/** An idx file of bytes. */
export function idx(sizes, bytes) {
  const header = Buffer.alloc(4 + 4 * sizes.length);
  header[2] = 8;
  header[3] = sizes.length;
  sizes.forEach((size, i) => header.writeUInt32BE(size, 4 + 4 * i));
  return Buffer.concat([header, bytes]);
}

/** The bytes behind the headers of a part of MNIST. */
export function readDigits(folder, part) {
  const bytes = (kind, header) => readFileSync(path.join(folder, `${part}-${kind}-ubyte`)).subarray(header);
  return {images: bytes('images-idx3', 16), labels: bytes('labels-idx1', 8)};
}

// Node's own since 20.15; the checksum of PNG chunks otherwise bit by bit.
const crc32 = zlibCrc32 ?? ((bytes) => {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; ++bit) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
});

function chunk(kind, data) {
  const body = Buffer.concat([Buffer.from(kind, 'latin1'), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body) >>> 0, out.length - 4);
  return out;
}

/** What a filter of PNG takes away from a byte, given its neighbours. */
const guesses = [
  () => 0,
  (left) => left,
  (left, up) => up,
  (left, up) => (left + up) >> 1,
  (left, up, corner) => {
    const estimate = left + up - corner;
    const by = (x) => Math.abs(estimate - x);
    if (by(left) <= by(up) && by(left) <= by(corner)) return left;
    return by(up) <= by(corner) ? up : corner;
  },
];

/** A picture of 8 or 16 bits a sample; with a palette, its samples are places in it. */
export function encodePng({width, height, channels, depth, samples}, {filter = 0, palette} = {}) {
  const step = (channels * depth) / 8;
  const stride = width * step;
  const raw = Buffer.alloc(height * stride);
  samples.forEach((s, i) => (depth === 16 ? raw.writeUInt16BE(s, 2 * i) : (raw[i] = s)));
  const rows = Buffer.alloc(height * (stride + 1));
  for (let y = 0; y < height; ++y) {
    rows[y * (stride + 1)] = filter;
    for (let x = 0; x < stride; ++x) {
      const byte = (row, column) => (row < 0 || column < 0 ? 0 : raw[row * stride + column]);
      const guess = guesses[filter](byte(y, x - step), byte(y - 1, x), byte(y - 1, x - step));
      rows[y * (stride + 1) + 1 + x] = byte(y, x) - guess;
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = depth;
  header[9] = palette ? 3 : {1: 0, 2: 4, 3: 2, 4: 6}[channels];
  const packed = deflateSync(rows);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    ...(palette ? [chunk('PLTE', Buffer.from(palette))] : []),
    // Readers have to put the parts together.
    chunk('IDAT', packed.subarray(0, 40)),
    chunk('IDAT', packed.subarray(40)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

export function encodePgm({width, height, samples}) {
  return Buffer.concat([Buffer.from(`P5\n# a comment\n${width} ${height}\n255\n`), Buffer.from(samples)]);
}
