// Tensors whose values are on a GPU, as tensors and ops see it. device.ts provides it once a program asks for a backend there: until then,
// and in the package that only predicts, everything is here.

export interface There {
  /** Does what the engine has asked for: after each call that may run ops. */
  play(): void;
  /** Whether the values of this tensor are there only. */
  has(handle: number): boolean;
  /** The values of a tensor that are there only, which the engine has as well from then on; undefined where they are here. */
  bring(handle: number, bytes: number): Promise<ArrayBuffer | undefined>;
  /** Bytes of all buffers. */
  bytes(): number;
}

export let there: There | undefined;
export function provideThere(made?: There): void {
  there = made;
}
