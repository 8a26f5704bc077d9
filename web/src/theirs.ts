// What TensorFlow.js saves of a training, as the engine takes it: what compile was given, and the optimizer's state.

import type {Tensor} from './tensor.js';

/** A list, or lists by name. */
function listsOf(given: unknown): unknown[] | Record<string, unknown> {
  const byName = typeof given === 'object' && given !== null && !Array.isArray(given) && !('class_name' in given);
  return byName ? (given as Record<string, unknown>) : [given ?? []].flat();
}
/** Metrics as compile takes them: TensorFlow.js logs the accuracy as acc. */
export function metricsOf(given: unknown): unknown {
  return JSON.parse(JSON.stringify(listsOf(given)), (key, name: unknown) => (name === 'accuracy' && key !== 'name' ? 'acc' : name));
}

/** A metric as the engine names it in logs. */
function nameOfMetric(metric: unknown): string {
  if (typeof metric === 'string') return metric;
  const {class_name: className = '', config} = metric as {class_name?: string; config?: {name?: string}};
  return config?.name ?? className;
}
/**
 * The metrics with a name each, where some have the same, and what logs then call losses that have the name of a metric: as in
 * TensorFlow.js, each gets the number of those before it.
 */
export function distinct(metrics: unknown, outputs: readonly string[]): {metrics: unknown; renamed: Map<string, string>} {
  const lists = listsOf(metrics);
  const isNested = Array.isArray(lists) && lists.some((one) => Array.isArray(one));
  const isMany = outputs.length > 1;
  const all = outputs.map((output, i) => [(!Array.isArray(lists) ? lists[output] : isNested ? lists[i] : lists) ?? []].flat());
  const prefix = (i: number) => (isMany ? `${outputs[i]}_` : '');
  const losses = ['loss', ...(isMany ? outputs.map((output) => `${output}_loss`) : [])];
  const names = [...losses, ...all.flatMap((some, i) => some.map((metric) => prefix(i) + nameOfMetric(metric)))];
  const said = names.map((name, i) => (names.indexOf(name) === names.lastIndexOf(name) ? name : `${name}_${names.slice(0, i).filter((n) => n === name).length}`));
  const renamed = new Map(losses.map((name, i) => [name, said[i]!]));
  if (String(said) === String(names)) return {metrics, renamed};
  let at = losses.length;
  const named = all.map((some, i) =>
    some.map((metric) => {
      const {class_name: className = metric, config} = Object(metric) as {class_name?: unknown; config?: object};
      return {class_name: className, config: {...config, name: said[at++]!.slice(prefix(i).length)}};
    }),
  );
  return {metrics: named, renamed};
}

/** What compile was given, as a file says it, and whether TensorFlow.js wrote it; undefined where nothing is said. */
export function trainingOf(saved: unknown): {training: object; isTheirs: boolean} | undefined {
  if (saved == null) return undefined;
  const {optimizer_config: given, metrics, ...others} = saved as {optimizer_config?: {class_name?: string}; optimizer?: unknown; metrics?: unknown};
  if (others.optimizer !== undefined) return {training: saved, isTheirs: false};
  // SGD with a momentum is a class of its own there.
  const optimizer = given?.class_name === 'Momentum' ? {...given, class_name: 'SGD'} : given;
  return {training: {...others, metrics: metricsOf(metrics), optimizer}, isTheirs: true};
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
  weights: ReadonlyMap<string, string>,
  {className, config}: {className: string; config: Record<string, unknown>},
  set: (name: string, state: Tensor) => void,
): void {
  const [, variable = '', kind = ''] = /^(.*)\/(.*)$/.exec(saved) ?? [];
  const weight = weights.get(variable) ?? weights.get(variable.replace(/_\d+$/, ''));
  const name = kStates[className]?.[kind];
  if (!weight || !name) throw new Error(`${className} has no state ${saved} in this model`);
  if (name === 'momentum' && className !== 'Adam' && !config['momentum']) return;
  // Theirs is a sum of gradients, the engine's one of steps.
  set(`${weight}/${name}`, className === 'SGD' ? state.mul(-(config['learning_rate'] as number)) : state);
}
