// Words and their numbers: the vocabulary that fjord/text's layers learn or are given, and StringLookup, which is little more.

import {bucketOf, saltOf, type Salt} from './fingerprint.js';
import {choiceOf, flagOf, known, shown, wholeOf} from './given.js';
import type {Tensor} from './index.js';
import {argumentsIn, encoded, isNumber, isText, kModes, listed, ofKind, rowsOf, type Config, type Encoding, type Indices, type OutputMode, type Rows, type Texts} from './rows.js';

/** What a layer with a vocabulary takes. */
export interface VocabularyArgs {
  name?: string;
  /** How many words the vocabulary has at most, with those for padding and for unknown words. Default: no limit. */
  maxTokens?: number | null;
  /** The words, instead of `adapt`: those that are known, or all, as getVocabulary() gives them. */
  vocabulary?: readonly string[] | null;
  /** For 'tf_idf', with `vocabulary`: a weight for each word. */
  idfWeights?: ArrayLike<number> | null;
  /** Default: 'int'. */
  outputMode?: OutputMode;
  /** Whether vectors are as long as `maxTokens` even where the vocabulary is smaller. Default: false. */
  padToMaxTokens?: boolean;
}
/** Arguments of stringLookup. */
export interface StringLookupArgs extends VocabularyArgs {
  /** How many numbers unknown words have: of several, a word's hash chooses. With 0, unknown words are refused. Default: 1. */
  numOovIndices?: number;
  /** The text that stands for nothing: it is 0, or dropped from vectors. Default: none. */
  maskToken?: string | null;
  /** What an unknown word's number becomes. Default: '[UNK]'. */
  oovToken?: string;
  /** Whether numbers become words. Default: false. */
  invert?: boolean;
  /** The key of SipHash, in place of FarmHash, for unknown words. */
  salt?: number | Salt | null;
}
export interface AdaptArgs {
  /** How many batches are taken. Default: all. */
  steps?: number | null;
}
/** Words in lists as deep as their numbers were. */
export type Words = string | Words[];

export const kVocabularyArgs = ['name', 'maxTokens', 'vocabulary', 'idfWeights', 'outputMode', 'padToMaxTokens'];

/** By code points, as UTF-8 is ordered: surrogates stand for what comes after all else. */
function compare(a: string, b: string): number {
  const place = (unit: number) => (unit >> 11 === 27 ? unit + 65536 : unit);
  for (let i = 0; i < a.length && i < b.length; ++i) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x !== y) return place(x) - place(y);
  }
  return a.length - b.length;
}

/** How often each word is seen, and in how many documents. */
class Counts {
  readonly words = new Map<string, {count: number; documents: number; last: number}>();
  documents = 0;

  add(document: readonly string[]): void {
    ++this.documents;
    for (const word of document) {
      const seen = this.words.get(word);
      if (!seen) this.words.set(word, {count: 1, documents: 1, last: this.documents});
      else {
        ++seen.count;
        if (seen.last !== this.documents) ++seen.documents;
        seen.last = this.documents;
      }
    }
  }
}

/** A vocabulary: what stands for padding and for unknown words, then the words. */
export abstract class Vocabulary {
  readonly name: string;
  readonly maxTokens: number | null;
  readonly numOovIndices: number;
  readonly maskToken: string | null;
  readonly oovToken: string;
  readonly outputMode: (typeof kModes)[number];
  readonly padToMaxTokens: boolean;
  readonly invert: boolean;
  protected readonly salt: Salt | null;
  /** What stands for padding, and for unknown words: the first numbers. */
  readonly #special: readonly string[];
  readonly #isGiven: boolean;
  #numbers?: Map<string, number>;
  #weights?: Float32Array;

  constructor(
    args: StringLookupArgs,
    protected readonly what: string,
  ) {
    const say = (name: string) => `${what}: ${name}`;
    this.name = args.name ?? what;
    this.outputMode = choiceOf(args.outputMode, say('outputMode'), kModes, 'int');
    this.numOovIndices = wholeOf(args.numOovIndices, say('numOovIndices'), 1);
    this.maskToken = args.maskToken == null ? null : ofKind(args.maskToken, isText, say('maskToken'), 'a text or null');
    this.oovToken = ofKind(args.oovToken ?? '[UNK]', isText, say('oovToken'), 'a text');
    this.padToMaxTokens = flagOf(args.padToMaxTokens, say('padToMaxTokens'), false);
    this.salt = saltOf(args.salt, what);
    this.invert = flagOf(args.invert, say('invert'), false);
    if (this.invert && this.outputMode !== 'int') throw new Error(`${what}: outputMode must be 'int' where invert is true, got '${this.outputMode}'`);
    this.#special = [...(this.maskToken !== null && this.outputMode === 'int' ? [this.maskToken] : []), ...Array<string>(this.numOovIndices).fill(this.oovToken)];
    this.maxTokens = args.maxTokens == null ? null : wholeOf(args.maxTokens, `${say('maxTokens')}, with those for padding and unknown words,`, 0, Math.max(2, this.#special.length + 1));
    if (this.padToMaxTokens && !this.maxTokens) throw new Error(`${what}: padToMaxTokens needs maxTokens, got ${shown(args.maxTokens)}`);
    this.#isGiven = args.vocabulary != null;
    if (args.vocabulary != null) this.setVocabulary(args.vocabulary, args.idfWeights);
    else if (args.idfWeights != null) throw new Error(`${what}: idfWeights are of a vocabulary, which is not given`);
  }

  /** The tokens of texts. */
  protected abstract tokens(texts: unknown): Rows<string>;

  /**
   * Learns the vocabulary: the most frequent tokens first, equally frequent ones backwards by their bytes. Texts in a list, or in batches:
   * then each innermost list of tokens is one document.
   */
  adapt(data: AsyncIterable<Texts>, args?: AdaptArgs): Promise<void>;
  adapt(data: Texts | Iterable<Texts>, args?: AdaptArgs): void;
  adapt(data: Texts | Iterable<Texts> | AsyncIterable<Texts>, args?: AdaptArgs): void | Promise<void> {
    const what = `${this.what}.adapt`;
    const {steps} = known(args, ['steps'], what);
    const most = steps == null ? Infinity : wholeOf(steps, `${what}: steps`, 0, 1);
    if (this.#isGiven) throw new Error(`${what}: the vocabulary was given, and is not learnt`);
    const counts = new Counts();
    let taken = 0;
    /** Whether it was the last one. */
    const learn = (batch: unknown): boolean => {
      for (const row of this.tokens(batch).rows) counts.add(row);
      return ++taken >= most;
    };
    if (typeof data === 'string' || Array.isArray(data)) {
      // Each text of a list is a document.
      learn(Array.isArray(data) && !data.some(Array.isArray) ? data.map((text: unknown) => [text]) : data);
    } else if (Symbol.asyncIterator in Object(data)) {
      return (async () => {
        for await (const batch of data as AsyncIterable<Texts>) if (learn(batch)) break;
        this.#learn(counts);
      })();
    } else if (Symbol.iterator in Object(data)) {
      for (const batch of data as Iterable<Texts>) if (learn(batch)) break;
    } else throw new Error(`${what} takes texts, lists of texts or an iterable of them, got ${shown(data)}`);
    this.#learn(counts);
  }
  #learn({words, documents}: Counts): void {
    for (const token of [this.maskToken, this.oovToken]) if (token !== null) words.delete(token);
    if (!words.size) throw new Error(`${this.what}.adapt: there is no token in these texts`);
    const sorted = [...words].sort(([a, {count: n}], [b, {count: m}]) => m - n || compare(b, a));
    const kept = sorted.slice(0, (this.maxTokens ?? Infinity) - this.#special.length);
    const weights = this.outputMode === 'tf_idf' ? kept.map(([, seen]) => Math.fround(Math.log(1 + documents / (1 + seen.documents)))) : null;
    this.setVocabulary(kept.map(([word]) => word), weights);
  }

  /** Replaces the vocabulary: the words alone, or all that getVocabulary() gives. */
  setVocabulary(vocabulary: readonly string[], idfWeights?: ArrayLike<number> | null): void {
    const {what} = this;
    if (!Array.isArray(vocabulary) || !vocabulary.every(isText)) throw new Error(`${what}: vocabulary must be a list of texts, got ${shown(vocabulary)}`);
    const special = this.#special;
    const isWhole = special.every((token, i) => vocabulary[i] === token);
    const words: string[] = isWhole ? vocabulary.slice(special.length) : [...vocabulary];
    const numbers = new Map(words.map((word, i) => [word, special.length + i]));
    if (!words.length) throw new Error(`${what}: vocabulary must not be empty`);
    if (numbers.size < words.length) throw new Error(`${what}: vocabulary has ${shown(words.find((word, i) => words.indexOf(word) !== i))} twice`);
    for (const [name, token] of Object.entries({maskToken: this.maskToken, oovToken: this.invert ? this.oovToken : null})) {
      if (token !== null && numbers.has(token)) throw new Error(`${what}: vocabulary has the ${name} ${shown(token)} among its words: leave it out, or begin with [${special.map(shown).join(', ')}]`);
    }
    const size = special.length + words.length;
    if (this.maxTokens && size > this.maxTokens) throw new Error(`${what}: vocabulary has ${size} words, with those for padding and unknown words, and maxTokens is ${this.maxTokens}`);
    this.#weights = this.#weightsOf(idfWeights, vocabulary.length, isWhole ? 0 : special.length);
    this.#numbers = numbers;
  }
  /** The weights with the mean of all for what has none, and zeros at the end. */
  #weightsOf(given: ArrayLike<number> | null | undefined, count: number, without: number): Float32Array | undefined {
    if (this.outputMode !== 'tf_idf') {
      if (given != null) throw new Error(`${this.what}: idfWeights are for outputMode 'tf_idf', got them for '${this.outputMode}'`);
      return undefined;
    }
    const weights: unknown[] = given == null || typeof given !== 'object' ? [] : Array.from(given);
    if (weights.length !== count || !weights.every(Number.isFinite)) {
      throw new Error(`${this.what}: outputMode 'tf_idf' needs idfWeights, a number for each of the ${count} words of vocabulary, got ${given == null ? given : `${shown(given)} of ${weights.length}`}`);
    }
    const numbers = weights as number[];
    const padded = new Float32Array(this.padToMaxTokens ? this.maxTokens! : without + count);
    padded.fill(numbers.reduce((sum, weight) => sum + weight, 0) / count, 0, without);
    padded.set(numbers, without);
    return padded;
  }

  /** All words, each at its number; or without what stands for padding and for unknown ones. */
  getVocabulary(includeSpecialTokens = true): string[] {
    return [...(includeSpecialTokens ? this.#special : []), ...(this.#numbers?.keys() ?? [])];
  }
  vocabularySize(): number {
    return this.#special.length + (this.#numbers?.size ?? 0);
  }
  #known(): Map<string, number> {
    if (!this.#numbers) throw new Error(`${this.what}: there is no vocabulary yet: adapt() learns one, setVocabulary() gives one`);
    return this.#numbers;
  }

  /** A tensor of what the tokens' numbers are. */
  protected encode(rows: Rows<string>, options?: Pick<Encoding, 'length' | 'pads'>): Tensor {
    const {outputMode: mode, numOovIndices, maskToken, salt, what} = this;
    const numbers = this.#known();
    const start = this.#special.length - numOovIndices;
    const numberOf = (token: string): number => {
      if (token === maskToken) return mode === 'int' ? 0 : -1;
      const number = numbers.get(token);
      if (number !== undefined) return number;
      if (numOovIndices === 0) throw new Error(`${what}: ${shown(token)} is not in the vocabulary, and numOovIndices is 0`);
      return start + (numOovIndices > 1 ? bucketOf(token, numOovIndices, salt) : 0);
    };
    return encoded(rows, numberOf, {mode, depth: this.padToMaxTokens ? this.maxTokens! : this.vocabularySize(), weights: this.#weights, ...options}, what);
  }

  /** What stands for a number. */
  protected wordOf(): (number: number) => string {
    this.#known();
    const all = this.getVocabulary();
    return (number) => all[Math.trunc(number)] ?? this.oovToken;
  }

  /** Arguments that make the same layer, with its vocabulary, as JSON can hold them. */
  getConfig(): Config {
    const {name, maxTokens, outputMode, padToMaxTokens} = this;
    const vocabulary = this.#numbers ? this.getVocabulary() : null;
    return {name, maxTokens, outputMode, padToMaxTokens, vocabulary, idfWeights: this.#weights ? Array.from(this.#weights.subarray(0, vocabulary!.length)) : null};
  }
}

/** Texts to their numbers in a vocabulary, or back. */
export class StringLookup extends Vocabulary {
  static readonly className = 'StringLookup';

  constructor(args?: StringLookupArgs | null) {
    super(known(args, [...kVocabularyArgs, 'numOovIndices', 'maskToken', 'oovToken', 'invert', 'salt'], 'stringLookup'), 'stringLookup');
  }
  static fromConfig(config: Config): StringLookup {
    return new StringLookup(argumentsIn<StringLookupArgs>(config));
  }

  protected override tokens(texts: unknown): Rows<string> {
    return rowsOf(texts, isText, this.what, 'texts');
  }
  /** A tensor of the texts' numbers, or of vectors; where the layer inverts, the words of numbers. */
  apply(texts: Texts): Tensor;
  apply(index: number): string;
  apply(indices: readonly number[] | Int32Array): string[];
  apply(indices: Indices): Words;
  apply(inputs: Texts | Indices): Tensor | Words {
    if (!this.invert) return this.encode(this.tokens(inputs));
    const wordOf = this.wordOf();
    const words = (value: unknown): Words =>
      Array.isArray(value) ? value.map(words) : wordOf(ofKind(value, isNumber, `${this.what} with invert`, 'numbers or lists of them'));
    return words(listed(inputs));
  }
  override getConfig(): Config {
    const {numOovIndices, maskToken, oovToken, invert, salt} = this;
    return {...super.getConfig(), numOovIndices, maskToken, oovToken, invert, salt};
  }
}
