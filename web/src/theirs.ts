// What TensorFlow.js saves of a training, as the engine takes it, and the other way: what compile was given, and the optimizer's state.

import {written} from './engine.js';
import type {Training} from './fit.js';
import {camelCase, shown, snakeCase} from './given.js';
import type {ModelInfo} from './predictor.js';
import type {Tensor} from './tensor.js';

/** A list, or lists by name. */
function listsOf(given: unknown): unknown[] | Record<string, unknown> {
  const byName = typeof given === 'object' && given !== null && !Array.isArray(given) && !('class_name' in given);
  return byName ? (given as Record<string, unknown>) : [given ?? []].flat();
}
/** Metrics as compile takes them: TensorFlow.js logs the accuracy as acc. */
export function metricsOf(given: unknown): unknown {
  return JSON.parse(JSON.stringify(listsOf(given), written), (key, name: unknown) => (name === 'accuracy' && key !== 'name' ? 'acc' : name));
}

/** A metric as the engine names it in logs. */
function nameOfMetric(metric: unknown): string {
  if (typeof metric === 'string') return metric;
  const {class_name: className = '', config} = metric as {class_name?: string; config?: {name?: string}};
  return config?.name ?? className;
}
/** What a loss or a list of them is at one output. */
const lossAt = (loss: unknown, output: string, i: number): unknown => (Array.isArray(loss) ? loss[i] : ((loss as Record<string, unknown> | null)?.[output] ?? loss));
/** `ce` is the crossentropy that the loss is, or that an output of such a width has. */
function spelledOut(metric: unknown, loss: unknown, width: number | null | undefined): unknown {
  if (metric !== 'ce' && metric !== 'crossentropy') return metric;
  const kind = /binary/i.test(String(loss)) || width === 1 ? 'binary' : /sparse/i.test(String(loss)) ? 'sparse_categorical' : 'categorical';
  return {class_name: `${kind}_crossentropy`, config: {name: 'ce'}};
}
/**
 * The metrics with a name each: where several have the same, as in TensorFlow.js, each gets the number of those before it. A loss keeps
 * its name, whatever a metric is called. `said` is what logs have for `names`.
 */
export function distinct(metrics: unknown, ends: ModelInfo['outputs'], loss: unknown): {metrics: unknown; names: string[]; said: string[]} {
  const outputs = ends.map(({name}) => name);
  const lists = listsOf(metrics);
  const isNested = Array.isArray(lists) && lists.some((one) => Array.isArray(one));
  const isMany = outputs.length > 1;
  const given = outputs.map((output, i) => [(!Array.isArray(lists) ? lists[output] : isNested ? lists[i] : lists) ?? []].flat());
  const wrong = given.flat().find((metric) => typeof metric !== 'string' && typeof Object(metric).class_name !== 'string');
  if (wrong !== undefined) throw new Error(`compile: a metric is a name, a function, or as Keras describes it, got ${shown(wrong)}`);
  const all = given.map((some, i) => some.map((metric) => spelledOut(metric, lossAt(loss, outputs[i]!, i), ends[i]!.shape.at(-1))));
  const prefix = (i: number) => (isMany ? `${outputs[i]}_` : '');
  const losses = ['loss', ...(isMany ? outputs.map((output) => `${output}_loss`) : [])];
  const names = [...losses, ...all.flatMap((some, i) => some.map((metric) => prefix(i) + nameOfMetric(metric)))];
  const said = names.map((name, i) => {
    const others = i < losses.length ? losses : names;
    return others.indexOf(name) === others.lastIndexOf(name) ? name : `${name}_${names.slice(0, i).filter((n) => n === name).length}`;
  });
  if (String(said) === String(names) && String(all) === String(given)) return {metrics, names, said};
  let at = losses.length;
  const named = all.map((some, i) =>
    some.map((metric) => {
      const {class_name: className = metric, config} = Object(metric) as {class_name?: unknown; config?: object};
      return {class_name: className, config: {...config, name: said[at++]!.slice(prefix(i).length)}};
    }),
  );
  return {metrics: named, names, said};
}

/** Names of losses or metrics as TensorFlow.js has them in a program. */
function inTheirCase(given: unknown): unknown {
  if (typeof given === 'string') return camelCase(given);
  if (Array.isArray(given)) return given.map(inTheirCase);
  return typeof given !== 'object' || given === null || 'class_name' in given ? given : Object.fromEntries(Object.entries(given).map(([key, one]) => [key, inTheirCase(one)]));
}
/** What compile was given, as a file says it, and whether TensorFlow.js wrote it; undefined where nothing is said. */
export function trainingOf(saved: unknown): {training: Training; isTheirs: boolean} | undefined {
  if (saved == null) return undefined;
  const {optimizer_config: given, metrics, loss, ...others} = saved as Training & {optimizer_config?: {class_name?: string}};
  if (others.optimizer !== undefined) return {training: saved, isTheirs: false};
  // SGD with a momentum is a class of its own there.
  const optimizer = given?.class_name === 'Momentum' ? {...given, class_name: 'SGD'} : given;
  return {training: {...others, loss: inTheirCase(loss), metrics: metricsOf(inTheirCase(metrics)), optimizer}, isTheirs: true};
}

// By optimizer, their names of the state of a weight and the engine's.
const kStates: Record<string, Record<string, string>> = {
  Adadelta: {accum_grad: 'accumulated_grad', accum_var: 'accumulated_delta_var'},
  Adagrad: {accumulator: 'accumulator'},
  Adam: {m: 'momentum', v: 'velocity'},
  RMSProp: {rms: 'velocity', momentum: 'momentum', mg: 'average_gradient'},
  SGD: {momentum: 'momentum'},
};

/**
 * Sets the state of one of `weights`, by their names, under the engine's name, unless the optimizer has no use for it. A variable
 * of theirs whose name was taken has a number behind it.
 */
export function stateOf(
  saved: string,
  state: Tensor,
  weights: ReadonlyMap<string, string | undefined>,
  {className, config, learningRate}: {className: string; config: Record<string, unknown>; learningRate: number},
  set: (name: string, state: Tensor) => void,
): void {
  const [, variable = '', kind = ''] = /^(.*)\/(.*)$/.exec(saved) ?? [];
  // Of a weight that was left out.
  if (weights.has(variable) && !weights.get(variable)) return;
  const weight = weights.get(variable) ?? weights.get(variable.replace(/_\d+$/, ''));
  const name = kStates[className === 'RMSprop' ? 'RMSProp' : className]?.[kind];
  if (!weight || !name) throw new Error(`${className} has no state ${saved} in this model`);
  if (name === 'momentum' && className !== 'Adam' && !config['momentum']) return;
  // Theirs is a sum of gradients, the engine's one of steps.
  set(`${weight}/${name}`, className === 'SGD' ? state.mul(-learningRate) : state);
}

// By class of theirs: the names of its parameters here and there, and what they are where nothing is said; and the states in their order.
const kOptimizers: Record<string, {config: Record<string, [string, unknown]>; states: string[]}> = {
  SGD: {config: {}, states: []},
  Momentum: {config: {momentum: ['momentum', 0], nesterov: ['useNesterov', false]}, states: ['momentum']},
  Adam: {config: {beta_1: ['beta1', 0.9], beta_2: ['beta2', 0.999], epsilon: ['epsilon', 1e-7]}, states: ['m', 'v']},
  RMSProp: {
    config: {rho: ['decay', 0.9], momentum: ['momentum', 0], epsilon: ['epsilon', 1e-7], centered: ['centered', false]}, states: ['rms', 'momentum', 'mg'],
  },
  Adagrad: {config: {initial_accumulator_value: ['initialAccumulatorValue', 0.1]}, states: ['accumulator']},
};
const kLosses = [
  'mean_squared_error', 'mean_absolute_error', 'mean_absolute_percentage_error', 'mean_squared_logarithmic_error', 'squared_hinge', 'hinge', 'categorical_hinge', 'logcosh',
  'categorical_crossentropy', 'sparse_categorical_crossentropy', 'binary_crossentropy', 'kullback_leibler_divergence', 'poisson', 'cosine_proximity',
];
const kShort: Record<string, string> = {mse: kLosses[0]!, mae: kLosses[1]!, mape: kLosses[2]!, msle: kLosses[3]!};
const kMetrics = ['acc', 'binary_accuracy', 'categorical_accuracy', 'precision', 'categorical_crossentropy', 'sparse_categorical_crossentropy', 'mse', 'mae', 'mape'];

/** Names that they have, one or more or by output; undefined where one is another's. */
function namesThere(given: unknown, known: string[], short: Record<string, string> = {}): unknown {
  let areAll = true;
  const text = JSON.stringify(given ?? null, (_, value: unknown) => {
    if (typeof value !== 'string') return value;
    const name = short[value] ?? snakeCase(value);
    areAll &&= known.includes(name);
    return name;
  });
  return areAll ? JSON.parse(text) : undefined;
}

/**
 * What compile was given and the optimizer's state, as TensorFlow.js writes them; undefined where it has no such optimizer, loss or metric.
 * `state` gives what is noted of each weight that is trained, by the names of these there, under the engine's name.
 */
export function theirTraining(
  {loss, metrics, loss_weights}: {loss?: unknown; metrics?: unknown; loss_weights?: unknown},
  {className: ours, config, learningRate}: {className: string; config: Record<string, unknown>; learningRate: number},
  state: (name: string) => {name: string; value: Tensor}[],
) {
  const {learning_rate: rate, ...others} = config;
  const className = ours === 'SGD' && config['momentum'] ? 'Momentum' : ours === 'RMSprop' ? 'RMSProp' : ours;
  const found = kOptimizers[className];
  const [lossThere, metricsThere] = [namesThere(loss, kLosses, kShort), namesThere(metrics, kMetrics)];
  if (!found || typeof (rate ?? 0) !== 'number' || loss_weights != null || lossThere == null || metricsThere === undefined) return undefined;
  if (Object.entries(others).some(([key, value]) => value && !found.config[key])) return undefined;
  const given = Object.entries(found.config).map(([key, [there, usual]]) => [there, config[key] ?? usual]);
  const states = found.states.filter((kind) => kind !== 'mg' || config['centered']).flatMap((kind) =>
    state(kStates[ours === 'RMSprop' ? 'RMSProp' : ours]![kind]!).map(({name, value}) => ({name: `${name}/${kind}`, value: className === 'Momentum' && learningRate ? value.mul(-1 / learningRate) : value})),
  );
  return {config: {loss: lossThere, metrics: metricsThere, optimizer_config: {class_name: className, config: {learningRate, ...Object.fromEntries(given)}}}, states};
}
