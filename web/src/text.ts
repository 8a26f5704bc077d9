// fjord/text: Keras's layers for texts. They stand before a model, and make its tensors of texts, which the engine does not know.
//
//   import {textVectorization} from 'fjord/text';
//   const words = textVectorization({maxTokens: 10000, outputSequenceLength: 100});
//   words.adapt(texts);
//   await model.fit(words.apply(texts), labels);

import {choiceOf, known, shown, wholeOf} from './given.js';
import {HashedCrossing, Hashing, type HashedCrossingArgs, type HashingArgs} from './hashing.js';
import type {Tensor} from './index.js';
import {kVocabularyArgs, StringLookup, Vocabulary, type StringLookupArgs, type VocabularyArgs} from './lookup.js';
import {argumentsIn, isText, ofKind, rowsOf, type Config, type Rows, type Texts} from './rows.js';

export type {AdaptArgs, VocabularyArgs, Words} from './lookup.js';
export type {Indices, OutputMode, Texts} from './rows.js';
export {HashedCrossing, Hashing, StringLookup, type HashedCrossingArgs, type HashingArgs, type StringLookupArgs};

const kStandardize = ['lower_and_strip_punctuation', 'lower', 'strip_punctuation'] as const;
const kSplit = ['whitespace', 'character'] as const;
export type Standardize = (typeof kStandardize)[number] | 'lowerAndStripPunctuation' | 'stripPunctuation' | ((text: string) => string);
export type Split = (typeof kSplit)[number] | ((text: string) => string[]);

/** Arguments of textVectorization. */
export interface TextVectorizationArgs extends VocabularyArgs {
  /** What is done to a text before it is split; null for nothing. Default: 'lower_and_strip_punctuation'. */
  standardize?: Standardize | null;
  /** Where a text is split; null where each is one token. Default: 'whitespace'. */
  split?: Split | null;
  /** Tokens that are joined: 2 for single ones and pairs, [2] for pairs alone. Default: none. */
  ngrams?: number | readonly number[] | null;
  /** Where outputMode is 'int': how many tokens there are of each text. Default: as many as the longest has. */
  outputSequenceLength?: number | null;
}

// Of ASCII alone, as TensorFlow's rules are: other letters, signs and spaces stay what they are.
const lower = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
const stripped = (text: string): string => text.replace(/[!-/:-@[-`{-~]+/g, '');
const kRules: Record<(typeof kStandardize)[number], (text: string) => string> = {
  lower_and_strip_punctuation: (text) => stripped(lower(text)),
  lower,
  strip_punctuation: stripped,
};
const kSplits: Record<(typeof kSplit)[number], (text: string) => string[]> = {
  whitespace: (text) => text.match(/[^\t-\r ]+/g) ?? [],
  // By code points.
  character: (text) => Array.from(text),
};

/** A rule by its name, of the program, or none. */
function ruleOf<Name extends string, Rule>(given: unknown, what: string, rules: Record<Name, Rule>, otherwise: Name): [Name | Rule | null, Rule | null] {
  if (given === null) return [null, null];
  if (typeof given === 'function') return [given as Rule, given as Rule];
  const name = choiceOf(given, what, Object.keys(rules) as Name[], otherwise, ', a function or null');
  return [name, rules[name]];
}
/** The config of a function, which JSON cannot hold: it refuses to be read without it. */
const described = (rule: unknown): unknown => (typeof rule === 'function' ? {className: 'function', config: rule.name} : rule);

function widthsOf(given: unknown): number[] | null {
  if (given == null) return null;
  const what = 'textVectorization: ngrams';
  if (!Array.isArray(given)) return Array.from({length: wholeOf(given, what, undefined, 1)}, (_, i) => i + 1);
  if (!given.length) throw new Error(`${what} must be a whole number or a list of some, got an empty list`);
  return given.map((width: unknown) => wholeOf(width, what, undefined, 1));
}
const joined = (tokens: string[], widths: number[]): string[] =>
  widths.flatMap((width) => Array.from({length: Math.max(0, tokens.length - width + 1)}, (_, i) => tokens.slice(i, i + width).join(' ')));

/** Texts to the numbers of their words, or to a vector for each text. */
export class TextVectorization extends Vocabulary {
  static readonly className = 'TextVectorization';
  readonly standardize: Standardize | null;
  readonly split: Split | null;
  readonly ngrams: number | readonly number[] | null;
  readonly outputSequenceLength: number | null;
  readonly #standardized: ((text: string) => unknown) | null;
  readonly #parts: ((text: string) => unknown) | null;
  readonly #widths: number[] | null;

  constructor(args?: TextVectorizationArgs | null) {
    const what = 'textVectorization';
    const {standardize, split, ngrams, outputSequenceLength, ...others} = known(args, [...kVocabularyArgs, 'standardize', 'split', 'ngrams', 'outputSequenceLength'], what);
    super({...others, maskToken: ''}, what);
    [this.standardize, this.#standardized] = ruleOf(standardize, `${what}: standardize`, kRules, 'lower_and_strip_punctuation');
    [this.split, this.#parts] = ruleOf(split, `${what}: split`, kSplits, 'whitespace');
    this.ngrams = ngrams ?? null;
    this.#widths = widthsOf(ngrams);
    this.outputSequenceLength = outputSequenceLength == null ? null : wholeOf(outputSequenceLength, `${what}: outputSequenceLength`);
    if (this.outputSequenceLength !== null && this.outputMode !== 'int') throw new Error(`${what}: outputSequenceLength is for outputMode 'int', got ${outputSequenceLength} for '${this.outputMode}'`);
  }
  static fromConfig(config: Config): TextVectorization {
    return new TextVectorization(argumentsIn<TextVectorizationArgs>(config));
  }

  protected override tokens(texts: unknown): Rows<string> {
    const {what} = this;
    const standardized = this.#standardized;
    const given = rowsOf(texts, isText, what, 'texts');
    const clean = standardized ? given.rows.map((row) => row.map((text) => ofKind(standardized(text), isText, `${what}: standardize`, 'a function that gives a text'))) : given.rows;
    const split = this.#split({...given, rows: clean});
    const widths = this.#widths;
    if (!widths) return split;
    if (split.rank === 0) throw new Error(`${what}: ngrams are of tokens in a list, got a single text with split null`);
    return {...split, rows: split.rows.map((row) => joined(row, widths))};
  }
  /** Each text becomes a row. */
  #split({rows, outer, rank}: Rows<string>): Rows<string> {
    const parts = this.#parts;
    if (!parts) return {rows, outer, rank};
    const {what} = this;
    const partsOf = (text: string): string[] => {
      const tokens = parts(text);
      if (!Array.isArray(tokens) || !tokens.every(isText)) throw new Error(`${what}: split takes a function that gives a list of texts, got ${shown(tokens)}`);
      return tokens;
    };
    const long = rank > 1 && rows.find((row) => row.length !== 1);
    if (long) throw new Error(`${what}: texts are split, so an innermost list has one text, got one of ${long.length}: give a flat list, or split: null for tokens`);
    return {rows: rows.flat().map(partsOf), outer: rank === 1 ? [rows[0]!.length] : outer, rank: rank === 1 ? 2 : rank || 1};
  }

  /** A tensor of the numbers of each text's words, filled up with 0; or of vectors. */
  apply(texts: Texts): Tensor {
    return this.encode(this.tokens(texts), {length: this.outputSequenceLength, pads: this.#parts !== null || this.outputSequenceLength !== null});
  }
  override getConfig(): Config {
    const {ngrams, outputSequenceLength} = this;
    return {...super.getConfig(), standardize: described(this.standardize), split: described(this.split), ngrams, outputSequenceLength};
  }
}

export const textVectorization = (args?: TextVectorizationArgs | null): TextVectorization => new TextVectorization(args);
export const stringLookup = (args?: StringLookupArgs | null): StringLookup => new StringLookup(args);
export const hashing = (args: HashingArgs): Hashing => new Hashing(args);
export const hashedCrossing = (args: HashedCrossingArgs): HashedCrossing => new HashedCrossing(args);
