// A prediction that takes longer than a slice: its result is there at once, and its values are computed while the page goes on. Whoever
// cannot wait for them, as dataSync() or an op, has the rest computed at once.

import {call} from './engine.js';
import {wasReset} from './held.js';
import {onReset} from './load.js';
import {breathe, kSlice} from './pauses.js';
import {fillLater, type Tensor} from './tensor.js';

/** The one that is on its way: the engine goes on with one at a time. */
let current: Later | undefined;

export class Later {
  /** Resolves, or rejects, when it is over. */
  readonly done: Promise<void>;
  private isOver = false;
  private error?: unknown;
  private resolve!: () => void;
  private reject!: (error: unknown) => void;

  /** Of outputs for which fj_modelPredict has stopped. */
  constructor(private readonly outputs: Tensor[]) {
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.done.catch(() => {});
    current = this;
    for (const t of outputs) fillLater(t, this.done, () => this.finish());
    void this.goOn();
  }

  private async goOn(): Promise<void> {
    while (!this.isOver) {
      await breathe();
      this.work(kSlice);
    }
  }
  /** Computes for so many milliseconds; 0 is until the end. */
  private work(milliseconds: number): void {
    if (this.isOver) return;
    try {
      if (call('fj_predictGoOn', milliseconds) === 1) this.end();
    } catch (error) {
      this.error = error;
      this.end();
    }
  }
  private end(): void {
    this.isOver = true;
    current = undefined;
    if (this.error) return this.reject(this.error);
    for (const t of this.outputs) fillLater(t);
    this.resolve();
  }
  /** tf.reset() takes it away: it fails. */
  static abandonCurrent(): void {
    if (!current) return;
    current.error = wasReset('the prediction that was under way');
    current.end();
  }
  /** Computes the rest at once. Throws where the prediction has failed. */
  finish(): void {
    this.work(0);
    if (this.error) throw this.error;
  }
  /** The same of the one that is on its way, before another begins: what went wrong is told to those who ask for its values. */
  static finishCurrent(): void {
    current?.work(0);
  }
}
onReset(() => Later.abandonCurrent());
