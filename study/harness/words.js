// Numbers as people read them.

/** "1 thread", "2 threads" */
export const counted = (count, noun) => `${count} ${noun}${count === 1 ? '' : 's'}`;

const kScales = {
  bytes: [[1e9, 'GB'], [1e6, 'MB'], [1e3, 'kB'], [1, 'bytes']],
  ms: [[1e3, 's'], [1, 'ms'], [1e-3, 'µs'], [1e-6, 'ns']],
  calls: [[1, 'calls']],
  percent: [[1, '%']],
};

/** A number with three digits in the unit that suits it: 1234567 bytes are "1.23 MB", 0.0004 ms "400 ns". */
export function readable(value, unit) {
  const [scale, name] = kScales[unit].find(([scale]) => value >= scale) ?? kScales[unit].at(-1);
  return `${Number((value / scale).toPrecision(3))} ${name}`;
}
