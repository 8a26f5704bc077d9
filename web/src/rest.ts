// The second WebAssembly file of fjord/predict, and of a package for one model: the functions that typical models do not call
// (web/split.mjs). It is loaded when one of them is called, or when a model that needs more is loaded.
//
//   const rest = new Rest(imports, () => module);       // before the first file is instantiated with these imports
//   rest.follow(instance);                              // after it
//
// Both files are one program with one memory, one table of functions and one stack. Until the second one is there, the table has in its
// place functions of ours: they put it there, and call what was wanted.

import {kRestNames} from './rest-names.js';

export class Rest {
  isHere = false;
  private first?: WebAssembly.Exports;
  private table?: WebAssembly.Table;
  private stack?: WebAssembly.Global;
  private top: unknown;

  /** `load` gives the second file's module at once, or throws. */
  constructor(imports: WebAssembly.Imports, private readonly load: () => WebAssembly.Module) {
    const get = (_: object, slot: string) => (...given: unknown[]) => this.call(Number(slot), given);
    imports['later'] = new Proxy({}, {get});
  }

  follow({exports}: WebAssembly.Instance): void {
    const all = Object.values(exports);
    this.first = exports;
    this.table = all.find((one) => one instanceof WebAssembly.Table);
    this.stack = all.find((one) => one instanceof WebAssembly.Global);
    this.top = this.stack?.value as unknown;
  }

  join(module: WebAssembly.Module): void {
    if (this.isHere) return;
    new WebAssembly.Instance(module, {first: this.first!});
    this.isHere = true;
  }

  private call(slot: number, given: unknown[]): unknown {
    try {
      this.join(this.load());
    } catch (error) {
      // The error passes all that C++ was doing, which would have given its stack back.
      this.stack!.value = this.top;
      throw new Error(`${(error as Error).message}. It is needed now: await tf.wasm.loadAll() would have loaded it before`);
    }
    return (this.table!.get(slot) as (...numbers: unknown[]) => unknown)(...given);
  }
}

/** Whether a model's description, as JSON, names a layer or an activation that the first file may be without. */
export function needsRest(description: string): boolean {
  return [...description.matchAll(/"(?:class_name|activation)":\s*"(\w+)"/g)].some(([, name]) => kRestNames.includes(name!.replaceAll('_', '').toLowerCase()));
}
