// Texts and numbers to buckets by their hashes, which need no vocabulary: Hashing, and HashedCrossing of several values at once.

import {bucketOf, crossedBucket, saltOf, type Salt} from './fingerprint.js';
import {choiceOf, known, shown, wholeOf} from './given.js';
import type {Tensor} from './index.js';
import {argumentsIn, encoded, isNumber, isText, ofKind, rowsOf, type Config, type Indices, type OutputMode, type Texts} from './rows.js';

/** Arguments of hashing. */
export interface HashingArgs {
  name?: string;
  /** How many buckets there are, with that of the mask. */
  numBins: number;
  /** The value that is in bucket 0, alone. Default: none. */
  maskValue?: string | number | null;
  /** The key of SipHash, in place of FarmHash: two whole numbers, or one for both. */
  salt?: number | Salt | null;
  /** Default: 'int'. */
  outputMode?: Exclude<OutputMode, 'tf_idf' | 'tfIdf'>;
}
/** Arguments of hashedCrossing. */
export interface HashedCrossingArgs {
  name?: string;
  /** How many buckets there are. */
  numBins: number;
  /** Default: 'int'. */
  outputMode?: 'int' | 'one_hot' | 'oneHot';
}

const isValue = (value: unknown): value is string | number => isText(value) || isNumber(value);
const isWhole = (value: unknown): value is string | number => isText(value) || Number.isInteger(value);

/** Texts, or numbers without their fractions, to buckets by their hashes. */
export class Hashing {
  static readonly className = 'Hashing';
  readonly name: string;
  readonly numBins: number;
  readonly maskValue: string | number | null;
  readonly salt: Salt | null;
  readonly outputMode: 'int' | 'one_hot' | 'multi_hot' | 'count';

  constructor(args: HashingArgs) {
    const what = 'hashing';
    const {name, numBins, maskValue, salt, outputMode} = known(args, ['name', 'numBins', 'maskValue', 'salt', 'outputMode'], what);
    this.name = name ?? what;
    this.numBins = wholeOf(numBins, `${what}: numBins`, undefined, 1);
    this.maskValue = maskValue == null ? null : ofKind(maskValue, isValue, `${what}: maskValue`, 'a text or a number');
    this.salt = saltOf(salt, what);
    this.outputMode = choiceOf(outputMode, `${what}: outputMode`, ['int', 'one_hot', 'multi_hot', 'count'], 'int');
  }
  static fromConfig(config: Config): Hashing {
    return new Hashing(argumentsIn<HashingArgs>(config));
  }

  /** A tensor of the buckets of texts or numbers, or of vectors. */
  apply(inputs: Texts | Indices): Tensor {
    const {numBins, maskValue, salt, outputMode: mode} = this;
    const masks = maskValue !== null && numBins > 1 ? 1 : 0;
    const bucket = (value: string | number): number => {
      if (masks && value === maskValue) return 0;
      // What TensorFlow writes of an int64.
      const text = typeof value === 'string' ? value : String(BigInt(Math.trunc(value)));
      return bucketOf(text, numBins - masks, salt) + masks;
    };
    return encoded(rowsOf(inputs, isValue, 'hashing', 'texts, finite numbers'), bucket, {mode, depth: numBins}, 'hashing');
  }
  getConfig(): Config {
    const {name, numBins, maskValue, salt, outputMode} = this;
    return {name, numBins, maskValue, salt, outputMode};
  }
}

/** Several features, each a text or a whole number, to one bucket by their hashes. */
export class HashedCrossing {
  static readonly className = 'HashedCrossing';
  readonly name: string;
  readonly numBins: number;
  readonly outputMode: 'int' | 'one_hot';

  constructor(args: HashedCrossingArgs) {
    const what = 'hashedCrossing';
    const {name, numBins, outputMode} = known(args, ['name', 'numBins', 'outputMode'], what);
    this.name = name ?? what;
    this.numBins = wholeOf(numBins, `${what}: numBins`, undefined, 1);
    this.outputMode = choiceOf(outputMode, `${what}: outputMode`, ['int', 'one_hot'], 'int');
  }
  static fromConfig(config: Config): HashedCrossing {
    return new HashedCrossing(argumentsIn<HashedCrossingArgs>(config));
  }

  /** A tensor of the buckets of two or more features of one shape: single values, [samples] or [samples, 1]. */
  apply(features: readonly (Texts | Indices)[]): Tensor {
    const what = 'hashedCrossing';
    if (!Array.isArray(features) || features.length < 2) throw new Error(`${what} takes a list of two or more features, got ${Array.isArray(features) ? `a list of ${features.length}` : shown(features)}`);
    const all = features.map((feature: unknown) => rowsOf(feature, isWhole, what, 'texts, whole numbers'));
    const [first] = all as [(typeof all)[number]];
    const shapes = all.map(({rows, outer, rank}) => `[${rank ? [...outer, ...new Set(rows.map((row) => row.length))] : ''}]`);
    if (!/^\[(\d+(,1)?)?\]$/.test(shapes[0]!) || shapes.some((shape) => shape !== shapes[0])) throw new Error(`${what} takes features of one shape, [], [samples] or [samples, 1], got ${shapes.join(' and ')}`);
    const crossed = first.rows.map((row, r) => row.map((_, i) => all.map(({rows}) => rows[r]![i]!)));
    return encoded({...first, rows: crossed}, (values) => crossedBucket(values, this.numBins), {mode: this.outputMode, depth: this.numBins}, what);
  }
  getConfig(): Config {
    const {name, numBins, outputMode} = this;
    return {name, numBins, outputMode};
  }
}
