// What a program keeps with a model: labels of its outputs, and the like. In Fjord's own file it is one of the texts of the header.

import {headerOf, textsOf} from './predictor.js';
import {shown} from './samples.js';
import {refuse, type ModelArtifacts, type ModelFile} from './io.js';

export type Metadata = Record<string, unknown>;

const kText = 'userDefinedMetadata';
const isPlain = (value: unknown): boolean => typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
const isJson = (value: unknown): boolean =>
  isPlain(value) || Array.isArray(value) ? Object.values(value as object).every(isJson) : value === null || ['string', 'boolean'].includes(typeof value) || Number.isFinite(value);
/** What is within itself, or deeper than JavaScript goes, JSON refuses first. */
function isKept(metadata: Metadata): boolean {
  try {
    JSON.stringify(metadata);
    return isPlain(metadata) && isJson(metadata);
  } catch {
    return false;
  }
}
export function checkedMetadata(metadata: Metadata): Metadata {
  if (isKept(metadata)) return metadata;
  throw new Error(`setUserDefinedMetadata takes a JSON object, of texts, finite numbers and the like, got ${shown(metadata)}`);
}

/** A safetensors file: the length of its header, that, what spaces fill up to eight bytes, and the data. */
export function fileOf(header: object, data: Uint8Array): ModelFile {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const size = (json.length + 7) & ~7;
  const out = new Uint8Array(8 + size + data.length).fill(32);
  new DataView(out.buffer).setBigUint64(0, BigInt(size), true);
  out.set(json, 8);
  out.set(data, 8 + size);
  return out;
}
/** A file with another text in its header. */
export function withText(file: ModelFile, name: string, value: unknown): ModelFile {
  const header = JSON.parse(headerOf(file)) as {__metadata__?: object};
  const data = file.subarray(8 + new DataView(file.buffer, file.byteOffset).getUint32(0, true));
  return fileOf({...header, __metadata__: {...header.__metadata__, [name]: JSON.stringify(value)}}, data);
}
export const withMetadata = (file: ModelFile, metadata: Metadata): ModelFile => withText(file, kText, metadata);
export function metadataOf(file: ModelFile): Metadata | undefined {
  const text = textsOf(file)[kText];
  if (text === undefined) return undefined;
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    // What is no JSON is no object.
  }
  return isPlain(read) ? (read as Metadata) : refuse(`The ${kText} of a file must be a JSON object`, text);
}

/** What resuming needs beside weights and the optimizer's state; and what the program keeps under the same name, if it does. */
interface Resumption {
  seed?: number;
  step?: number;
  training?: object;
  own?: unknown;
}
export function resumptionIn({userDefinedMetadata}: ModelArtifacts): Resumption | undefined {
  const saved = userDefinedMetadata?.['fjord'] as Resumption | undefined;
  return [saved?.seed, saved?.step].every(Number.isInteger) && isPlain(saved!.training) ? saved : undefined;
}
