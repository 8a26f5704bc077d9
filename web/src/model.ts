// Models with TensorFlow.js's names: a description in Keras JSON, whose weights and plans the engine holds.
//
//   const model = tf.sequential({layers: [tf.layers.dense({units: 10, activation: 'softmax', inputShape: [784]})]});
//   model.compile({optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy']});
//   await model.fit(xs, ys, {epochs: 5, batchSize: 64});

import {call, callForJson, messageBytes, withArguments} from './engine.js';
import {numbersOf} from './custom.js';
import {describing, hasOwnWithin, layersIn, pathsOf, type SavedConfig} from './saved.js';
import {saveTo, type IOHandler, type ModelArtifacts, type ModelFile, type SaveResult} from './io.js';
import type {Layer} from './layers.js';
import {checkedMetadata, fileOf, metadataOf, resumptionIn, withMetadata, withText, type Metadata} from './metadata.js';
import {theirNames} from './named.js';
import {scalar, zeros} from './ops.js';
import {descriptionOf, nameOf, textsOf, theirTopology, type Described} from './predictor.js';
import {flagOf, known, tensorsOf} from './samples.js';
import {Tensor, tidy} from './tensor.js';
import {stateOf, theirTraining, trainingOf} from './theirs.js';
import {hasFunction} from './trace.js';
import {TrainedModel} from './trained.js';

/** How files say who has written them. */
const kGenerator = 'Fjord';

/** What a model is made of: layers, and models that are layers of it. */
export type AnyLayer = Layer | LayersModel;

/** The layers of a description that was saved. */
export const layersOf = (config: SavedConfig): AnyLayer[] => layersIn(config, (described, layers, options) => new LayersModel(described, layers, options));

/** Values one after the other. */
function bytesOf(all: Tensor[]): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(all.reduce((n, {size}) => n + 4 * size, 0));
  let at = 0;
  for (const t of all) {
    const {buffer, byteOffset, byteLength} = t.dataSync();
    data.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += byteLength;
  }
  return data;
}

export class LayersModel extends TrainedModel {
  #metadata?: Metadata;

  protected override copied(): LayersModel {
    return LayersModel.fromFile(this.file(true));
  }

  // ---- files ------------------------------------------------------------------------------------------------------------------------

  /** Labels and the like, which files keep. */
  setUserDefinedMetadata(metadata: Metadata): void {
    this.#metadata = checkedMetadata(metadata);
  }
  getUserDefinedMetadata(): Metadata | undefined {
    return this.#metadata;
  }
  /** Values of weights, by the names that files have for these; all of them, unless not `strict`. */
  loadWeights(weights: Record<string, Tensor>, strict = true): void {
    this.home.drop();
    const list = tensorsOf(weights, () => Object.keys(weights), 'loadWeights');
    const weightSpecs = list.map(({shape, dtype}, i) => ({name: Object.keys(weights)[i]!, shape, dtype}));
    const values = new Float32Array(list.reduce((n, t) => n + t.size, 0));
    let at = 0;
    for (const t of list) {
      values.set(t.dataSync(), at);
      at += t.size;
    }
    const weightData = values.buffer;
    this.takeWeights({modelTopology: {}, weightSpecs, weightData}, () => {}, strict);
  }
  /** What compile was given, in Keras's names and with the rate of now. */
  get #training(): object {
    return {...this.compiled, optimizer: this.optimizer!.inKerasNames(this.rate)};
  }
  #slot(i: number): Tensor {
    return new Tensor(call('fj_modelSlot', this.built, i));
  }
  #refuseFunctions(includeOptimizer: boolean): void {
    if (hasFunction(this.topology) || (includeOptimizer && hasFunction(this.compiled))) {
      throw new Error('A function, such as a loss or an activation, cannot be saved: save the model without the optimizer, or with names in the place of functions');
    }
  }
  /**
   * Everything that a file holds, as TensorFlow.js has it: the description, the weights, and with includeOptimizer what training needs to go
   * on; with trainableOnly those weights alone that are trained.
   */
  artifacts(includeOptimizer = false, trainableOnly = false): ModelArtifacts {
    const {topology} = this;
    this.#refuseFunctions(includeOptimizer);
    const {weights, slots, seed, step} = this.info();
    const paths = weights.map(({name}) => name);
    const names = theirNames(topology, paths);
    const places = new Map(paths.map((path, i) => [path, i]));
    const nameOfWeight = ({name}: {name: string}) => names[places.get(name)!]!;
    const slotPlaces = new Map(slots.map(({name}, i) => [name, i]));
    // Before the first step there is none; after it theirs may keep what is not kept here.
    const stateOfKind = (kind: string) =>
      (step ? this.trainableWeights : []).map((w) => {
        const i = slotPlaces.get(`${w.name}/${kind}`);
        return {name: nameOfWeight(w), value: i === undefined ? zeros(w.shape) : this.#slot(i)};
      });
    // As JSON has it, without what was not said.
    const saved = includeOptimizer && this.compiled ? (JSON.parse(JSON.stringify(this.#training)) as object) : undefined;
    const own = this.#metadata && 'fjord' in this.#metadata ? {own: this.#metadata['fjord']} : {};
    return tidy(() => {
      const listed = trainableOnly ? this.trainableWeights : this.weights;
      const values = this.getWeights(trainableOnly);
      const theirs = saved && theirTraining(saved, this.optimizer!, stateOfKind);
      const states = theirs ? [{name: 'iter', value: scalar(step, 'int32')}, ...theirs.states] : saved ? slots.map(({name}, i) => ({name, value: this.#slot(i)})) : [];
      const all = [...listed.map((w, i) => ({name: nameOfWeight(w), value: values[i]!})), ...states.map((s) => ({...s, group: 'optimizer'}))];
      const weightSpecs = all.map(({value, ...spec}) => ({...spec, shape: value.shape, dtype: value.dtype}));
      return {
        modelTopology: theirTopology(topology),
        format: 'layers-model',
        generatedBy: kGenerator,
        weightSpecs,
        weightData: bytesOf(all.map(({value}) => value)).buffer,
        ...(theirs ? {trainingConfig: theirs.config} : {}),
        ...(saved || this.#metadata ? {userDefinedMetadata: {...this.#metadata, ...(saved ? {fjord: {seed, step, training: saved, ...own}} : {})}} : {}),
      };
    });
  }
  /** The same as one safetensors file. */
  file(includeOptimizer = false): ModelFile {
    this.home.gpu?.check('file');
    const file = this.layers.some(hasOwnWithin) ? this.#fileByClasses(includeOptimizer) : (call('fj_modelSave', this.built, includeOptimizer ? 1 : 0), messageBytes());
    return this.#metadata ? withMetadata(file, this.#metadata) : file;
  }
  /** What the engine would write, if it knew layers of the program that stand within others by more than their numbers. */
  #fileByClasses(includeOptimizer: boolean): ModelFile {
    this.#refuseFunctions(includeOptimizer);
    const {weights, slots, seed, step} = this.info();
    const training = this.compiled && !hasFunction(this.compiled) ? {training: JSON.stringify(this.#training)} : {};
    const texts = {model: JSON.stringify(this.topology), seed: String(seed), ...training, ...(includeOptimizer ? {step: String(step)} : {})};
    return tidy(() => {
      const all = weights.map(({name}, i): [string, Tensor] => [name, new Tensor(call('fj_modelWeight', this.built, i))]);
      if (includeOptimizer) slots.forEach(({name}, i) => all.push([`optimizer/${name}`, this.#slot(i)]));
      let end = 0;
      const entries = all.map(([name, {shape, size}]) => [name, {dtype: 'F32', shape, data_offsets: [end, (end += 4 * size)]}]);
      return fileOf({__metadata__: texts, ...Object.fromEntries(entries)}, bytesOf(all.map(([, t]) => t)));
    });
  }
  /** `make` is for a row. */
  static fromFile(file: ModelFile, make?: (...parts: ConstructorParameters<typeof LayersModel>) => LayersModel): LayersModel {
    const description = descriptionOf(file);
    const layers = layersOf(description.config);
    const numbers = numbersOf(pathsOf(layers));
    const read = layers.some(hasOwnWithin) ? withText(file, 'model', describing(description, layers)((l) => l.asWritten())) : file;
    const handle = withArguments((a) => call('fj_modelLoad', a.bytes(read), read.length, numbers.length ? a.json(numbers) : 0));
    const {model, training} = callForJson<{model: Described; training: object | null}>('fj_modelDescription', handle);
    const parts: ConstructorParameters<typeof LayersModel> = [describing(model, layers), layers, {handle, training, saved: model, name: nameOf(model)}];
    const made = make && model.class_name === 'Sequential' ? make(...parts) : new LayersModel(...parts);
    made.#metadata = metadataOf(file);
    // One that has replaced a schedule.
    const {rate} = textsOf(file);
    if (rate && made.optimizer) made.optimizer.learningRate = Number(rate);
    return made;
  }
  async save(target: string | IOHandler, args: {includeOptimizer?: boolean; trainableOnly?: boolean} = {}): Promise<SaveResult> {
    const given = known(args, ['includeOptimizer', 'trainableOnly'], 'save');
    const [includeOptimizer, trainableOnly] = (['includeOptimizer', 'trainableOnly'] as const).map((name) => flagOf(given[name], name, false));
    await this.sync();
    const file = () => {
      if (trainableOnly) throw new Error('save: trainableOnly is of handlers with save(artifacts): this place gets a file, which has all weights');
      return this.file(includeOptimizer);
    };
    return saveTo(target, {artifacts: () => this.artifacts(includeOptimizer, trainableOnly), file});
  }
  /** Weights and, where the artifacts have them, optimizer state, step and seed: training goes on as if never stopped. */
  restore(artifacts: ModelArtifacts, isStrict = true): void {
    this.home.drop();
    const {trainingConfig, generatedBy, userDefinedMetadata} = artifacts;
    // TensorFlow.js hands them on with what it has trained since.
    const resumed = resumptionIn(artifacts);
    const {fjord, ...others} = userDefinedMetadata ?? {};
    const own = resumed ? resumed.own : fjord;
    const metadata = own === undefined ? others : {...others, fjord: own};
    if (Object.keys(metadata).length) this.#metadata = metadata;
    const {seed, training, ...known} = (generatedBy === kGenerator && resumed) || {};
    let {step} = known;
    if (typeof seed === 'number') this.seed = seed;
    const theirs = trainingOf(trainingConfig);
    const saved = training ? {training, isTheirs: false} : theirs;
    if (saved) this.compileAs(saved);
    // A rate is asked for once: the engine describes the whole model for it.
    const {className, config, learningRate} = this.optimizer ?? {};
    if (artifacts.weightData) this.takeWeights(artifacts, ({name}, value, names) => {
      const set = (slot: string, state: Tensor) => this.setSlot(slot, state);
      if (!theirs?.isTheirs) set(name, value);
      else if (name === 'iter') step ??= value.dataSync()[0];
      else if (className) stateOf(name, value, names, {className, config: config!, learningRate: learningRate!}, set);
    }, isStrict);
    if (step !== undefined) call('fj_modelSetStep', this.built, step);
  }
}
