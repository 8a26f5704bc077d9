// Bytes as text that survives every encoding, bundler and minifier: ASCII without quotes, backslashes and line ends. Zipped, it is 4 %
// longer than the bytes; base64, whose digits do not begin where bytes do, is 38 % longer.
//
// A byte below 87 is one character, the others are one that follows `|` (87 more) or `}` (174 more). pack() is in web/build.mjs.

export function unpack(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  let [count, page] = [0, 0];
  for (let i = 0; i < text.length; ++i) {
    const c = text.charCodeAt(i);
    if (c >= 124) {
      page = 87 * (c - 123);
    } else {
      // From '#' on, without the backslash and the backtick.
      bytes[count++] = page + c - 35 - (c > 92 ? 1 : 0) - (c > 96 ? 1 : 0);
      page = 0;
    }
  }
  return bytes.slice(0, count);
}
