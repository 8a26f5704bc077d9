// Where layers live: the models that have their weights.

import type {Tensor} from './tensor.js';
import type {LayerVariable} from './weights.js';

/** A model, as far as its layers know it. */
export interface LayerHome {
  readonly name: string;
  readonly isDisposed: boolean;
  /** Joins layers that merely follow one another. */
  join(): void;
  /** Of the layer at a path, such as "base/dense". @internal */
  weightsAt(path: string): LayerVariable[];
  /** @internal */
  valuesAt(path: string, trainableOnly: boolean): Tensor[];
  /** @internal */
  setValuesAt(path: string, values: Tensor[]): void;
  /** @internal */
  resetStatesAt(path: string): void;
}

/** The models that have the weights of a layer, or of a model that is a layer of theirs. */
export class Homes {
  private list: {model: LayerHome; path: string}[] = [];

  add(model: LayerHome, path: string): void {
    this.list = this.list.filter((home) => home.model !== model && !home.model.isDisposed);
    this.list.push({model, path});
  }
  remove(model: LayerHome): void {
    this.list = this.list.filter((home) => home.model !== model);
  }
  get all(): readonly {model: LayerHome; path: string}[] {
    return this.list.filter(({model}) => !model.isDisposed);
  }
  /** One that is there; none where no model has made the weights. */
  of(name: string): {model: LayerHome; path: string} | undefined {
    const there = this.list.find(({model}) => !model.isDisposed);
    const gone = this.list.at(-1);
    if (!there && gone) {
      throw new Error(`The layer ${name} belonged to the model ${gone.model.name}, which was disposed of with its weights: make a new layer`);
    }
    return there;
  }
}
