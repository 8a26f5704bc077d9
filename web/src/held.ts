// A handle of the engine, in an object of its own so that the garbage collector's notice can hold it. tf.reset() gives all of them back
// at once: the numbers begin anew then, and an old one never stands for something new.

import {life} from './load.js';

export class Held {
  private number = 0;
  private life = 0;

  constructor(handle = 0) {
    this.handle = handle;
  }
  /** 0 where there is none, and where there is none any more. */
  get handle(): number {
    return this.life === life ? this.number : 0;
  }
  set handle(handle: number) {
    this.number = handle;
    this.life = life;
  }
  /** Whether tf.reset() has given it back. */
  get isLost(): boolean {
    return this.number !== 0 && this.life !== life;
  }
  /** Throws where it has; `what` tells whose it was. */
  check(what: string): void {
    if (this.isLost) throw wasReset(what);
  }
}

export const wasReset = (what: string): Error => new Error(`What the engine held was given back by tf.reset(): ${what} is gone with it. Make it anew`);
