// What fit calls while it trains, and how often it lets the page draw.
//
//   class Progress extends tf.Callback {
//     async onEpochEnd(epoch, logs) { show(epoch, logs.loss); }
//   }
//   await model.fit(x, y, {callbacks: [new Progress(), tf.callbacks.earlyStopping({patience: 3})], yieldEvery: 'batch'});

import {breathe, isPage, kBusy, kSlice} from './pauses.js';
import type {Described} from './predictor.js';
import {shown} from './samples.js';

export type Logs = Record<string, number>;

export interface CustomCallbacks {
  onTrainBegin?(logs?: Logs): void | Promise<void>;
  onTrainEnd?(logs?: Logs): void | Promise<void>;
  onEpochBegin?(epoch: number, logs?: Logs): void | Promise<void>;
  onEpochEnd?(epoch: number, logs?: Logs): void | Promise<void>;
  onBatchBegin?(batch: number, logs?: Logs): void | Promise<void>;
  onBatchEnd?(batch: number, logs?: Logs): void | Promise<void>;
  onYield?(epoch: number, batch: number, logs: Logs): void | Promise<void>;
  /** The time in milliseconds, and what a pause awaits, where they are not the page's own. */
  nowFunc?(): number;
  nextFrameFunc?(): void | Promise<void>;
}
export type CallbackArg = CustomCallbacks | Described;
export type YieldEvery = 'auto' | 'batch' | 'epoch' | 'never' | number;

/** To be extended: what is not overridden does nothing. */
export class Callback {
  model?: unknown;
  params: Record<string, unknown> = {};
  setModel(model: unknown): void {
    this.model = model;
  }
  setParams(params: Record<string, unknown>): void {
    this.params = params;
  }
  async onTrainBegin(_logs?: Logs): Promise<void> {}
  async onTrainEnd(_logs?: Logs): Promise<void> {}
  async onEpochBegin(_epoch: number, _logs?: Logs): Promise<void> {}
  async onEpochEnd(_epoch: number, _logs?: Logs): Promise<void> {}
  async onBatchBegin(_batch: number, _logs?: Logs): Promise<void> {}
  async onBatchEnd(_batch: number, _logs?: Logs): Promise<void> {}
}
/** One made of functions. */
export class CustomCallback extends Callback {
  constructor(functions: CustomCallbacks) {
    super();
    checkFunctions(functions);
    Object.assign(this, functions);
  }
}

/** What fit gives. */
export class History extends Callback {
  readonly epoch: number[] = [];
  readonly history: Record<string, number[]> = {};
  /** Why training ended before its last epoch, if it did. */
  reason = '';
}

const kEvents = ['onTrainBegin', 'onTrainEnd', 'onEpochBegin', 'onEpochEnd', 'onBatchBegin', 'onBatchEnd', 'onYield', 'nowFunc', 'nextFrameFunc'] as const;
type Event = (typeof kEvents)[number];
const isDescribed = (c: object): c is Described => 'class_name' in c;
const isPlain = (c: object): boolean => [Object.prototype, null].includes(Object.getPrototypeOf(c));

function checkFunctions(c: object): void {
  for (const [key, value] of Object.entries(c)) {
    if (!kEvents.includes(key as Event)) throw new Error(`callbacks: there is no ${key}; known are ${kEvents.join(', ')}`);
    if (value != null && typeof value !== 'function') throw new Error(`callbacks: ${key} is to be a function, got ${shown(value)}`);
  }
}

/** Whether somebody listens: the functions of Callback itself do nothing. */
const hears = (c: CustomCallbacks, event: Event): boolean => !!c[event] && c[event] !== (Callback.prototype as CustomCallbacks)[event];

/** The callbacks of one fit, and its pauses. */
export class Listeners {
  /** Run by the engine. */
  readonly described: Described[] = [];
  private readonly custom: CustomCallbacks[] = [];
  private readonly every: YieldEvery;
  private readonly now: () => number;
  private readonly nextFrame: () => void | Promise<void>;
  /** Milliseconds after which a batch pauses; 0 where it runs through. */
  private readonly slice: number = 0;
  private pausedAt: number;
  /** When the clock was looked at last. */
  private seenAt: number;
  /** Whether there was a pause that nobody was told of. */
  private isUntold = false;

  constructor(given: CallbackArg | CallbackArg[] | null | undefined, yieldEvery: YieldEvery | null | undefined) {
    for (const c of given == null ? [] : Array.isArray(given) ? given : [given]) {
      if (typeof c !== 'object' || c === null || !(isDescribed(c) || isPlain(c) || kEvents.some((event) => event in c))) {
        throw new Error(`callbacks: a callback is an object with functions such as onEpochEnd, or one of tf.callbacks, got ${shown(c)}`);
      }
      if (isDescribed(c)) {
        this.described.push(c);
        continue;
      }
      if (isPlain(c)) checkFunctions(c);
      this.custom.push(c);
    }
    const every = yieldEvery ?? 'auto';
    const isNumber = typeof every === 'number' && every >= 0;
    if (!isNumber && !['auto', 'batch', 'epoch', 'never'].includes(every as string)) {
      throw new Error(`yieldEvery is 'auto', 'batch', 'epoch', 'never' or a number of milliseconds, got ${shown(every)}`);
    }
    if (every === 'never' && this.custom.some((c) => hears(c, 'onYield'))) throw new Error(`onYield is never called where yieldEvery is 'never'`);
    this.every = every !== 'auto' ? every : isPage ? kSlice : kBusy;
    const nowFunc = this.custom.find((c) => c.nowFunc)?.nowFunc;
    this.now = nowFunc ?? (() => performance.now());
    // The engine cannot look at somebody's own clock.
    if (!nowFunc && typeof this.every === 'number' && (isPage || every !== 'auto')) this.slice = Math.max(1, this.every);
    this.nextFrame = this.custom.find((c) => c.nextFrameFunc)?.nextFrameFunc ?? breathe;
    this.pausedAt = this.seenAt = this.now();
  }

  /** How long the next batch may take; 0 is however long. */
  get budget(): number {
    return this.slice && Math.max(1, this.slice - (this.seenAt - this.pausedAt));
  }
  /** Whether somebody looks at every batch. */
  get seesBatches(): boolean {
    return (
      this.custom.some((c) => hears(c, 'onBatchBegin') || hears(c, 'onBatchEnd') || hears(c, 'onYield')) ||
      this.described.some((c) => c.class_name === 'TerminateOnNaN')
    );
  }
  begin(model: unknown, params: Record<string, unknown>): void {
    for (const c of this.custom) {
      if (!('setModel' in c)) continue;
      (c as Callback).setParams(params);
      (c as Callback).setModel(model);
    }
  }
  async call<E extends Event>(event: E, ...args: Parameters<NonNullable<CustomCallbacks[E]>>): Promise<void> {
    for (const c of this.custom) await (c[event] as ((...all: unknown[]) => unknown) | undefined)?.call(c, ...args);
  }
  /** Pauses where it is time to, after a batch, at the end of an epoch, or in between. */
  async pause(at: 'batch' | 'epoch' | undefined, epoch: number, batch: number, logs: Logs): Promise<void> {
    const isNumber = typeof this.every === 'number';
    if (isNumber) this.seenAt = this.now();
    const timed = isNumber && this.seenAt - this.pausedAt >= (this.every as number);
    if (timed || this.every === at) await this.takeBreak();
    if (!timed && !this.isUntold) return;
    this.isUntold = false;
    await this.call('onYield', epoch, batch, logs);
  }
  /** In the middle of a batch: onYield comes when there are logs of it. */
  async pauseWithin(): Promise<void> {
    await this.takeBreak();
    this.isUntold = true;
  }
  private async takeBreak(): Promise<void> {
    await this.nextFrame();
    this.pausedAt = this.seenAt = this.now();
  }
}
