// The function of the program that is being traced, as ops see it: trace.ts calls it. Nothing is traced in the package that only predicts.

import type {Tensor} from './tensor.js';

export interface Tracing {
  /** What random ops draw from, which is another one in each step. */
  random(): Tensor;
  /** Of layers that are called within: what they are called there, by their names. */
  readonly names: Map<string, string>;
}

const calls: Tracing[] = [];

/** The innermost of those that are being traced. */
export const tracing = (): Tracing | undefined => calls.at(-1);
export function beginTracing(call: Tracing): void {
  calls.push(call);
}
/** How many are being traced: functions may call layers that call others. */
export const tracingDepth = (): number => calls.length;
export function endTracing(): void {
  calls.pop();
}

/** Of what changes from step to step, a function that is called once would keep the value of that moment. */
export function refuseTraced(what: string, instead = 'a layer has weights of its own, by addWeight, which it reads by read() and writes by write()'): void {
  if (calls.length) throw new Error(`it ${what}, which would be the same in each step: ${instead}`);
}
