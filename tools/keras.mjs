// What of Keras there is: docs/keras.md, from Keras's names (check/goldens/keras_names.py) and the engine's tables.
import {readFileSync} from 'node:fs';
import {root} from './build.mjs';

/** As the engine compares names: by their letters and digits. */
const plain = (name) => name.toLowerCase().replaceAll('_', '');

/** Why the engine has not some of what is no layer; those of layers stand in the engine, whose errors say them. */
const kReasons = {
  optimizers: {
    MultiOptimizer: 'all weights of a model have one optimizer',
    OptimizerMap: 'all weights of a model have one optimizer',
  },
  metrics: {
    Mean: 'it is of values, not of labels and predictions',
    Sum: 'it is of values, not of labels and predictions',
  },
  callbacks: {
    CSVLogger: 'a browser has no files to write lines to; `fit` gives the same numbers, epoch by epoch',
    History: 'what `fit` gives',
    LambdaCallback: 'its functions are programs in Python; `fit` takes an object of JavaScript functions',
    LearningRateScheduler: 'its function is a program in Python; there are schedules, and a callback can set `optimizer.learningRate`',
    OrbaxCheckpoint: 'its files are those of a library in Python',
    ProgbarLogger: 'nothing is printed; whoever calls `fit` is told of each batch',
    RemoteMonitor: 'the engine speaks to no server',
  },
};

/** What stands before a model, in an entry of its own: web/src/text.ts. */
const kOfTexts = ['HashedCrossing', 'Hashing', 'StringLookup', 'TextVectorization'];

/** For each of the lists, the names that the engine has, and why it has not others. */
function listsOf({layers, activations, optimizers, losses, metrics, tables, refusedLayers}) {
  const namesIn = (what) => tables[what].map(({name}) => name);
  return {
    // What begins a model is no row of the engine's table.
    layers: {has: [...layers.map(({className}) => className), 'InputLayer'], reasons: refusedLayers},
    activations: {has: activations},
    initializers: {has: namesIn('initializer')},
    regularizers: {has: namesIn('regularizer')},
    constraints: {has: namesIn('constraint')},
    // What wraps another one is no row either.
    optimizers: {has: [...optimizers.map(({name}) => name), 'LossScaleOptimizer'], reasons: kReasons.optimizers},
    schedules: {has: namesIn('schedule')},
    losses: {has: losses},
    // Each loss is a metric, too.
    metrics: {has: [...metrics, ...losses], reasons: kReasons.metrics},
    callbacks: {has: namesIn('callback'), reasons: kReasons.callbacks},
  };
}

const code = (name) => `\`${name}\``;

/** The text between the marks of docs/keras.md, of what build/native/describe prints. */
export function kerasInMarkdown(described) {
  const {keras, ...names} = JSON.parse(readFileSync(`${root}check/goldens/keras_names.json`, 'utf8'));
  const lists = listsOf(described);
  const counts = [], parts = [];
  for (const [what, all] of Object.entries(names)) {
    const {has, reasons = {}} = lists[what];
    const there = new Set(has.map(plain));
    const stale = Object.keys(reasons).find((name) => there.has(plain(name)));
    if (stale) throw new Error(`${stale} of ${what} is there, and it is said why it is not`);
    const gone = Object.keys(reasons).find((name) => what !== 'layers' && !(name in all));
    if (gone) throw new Error(`Keras has no ${gone} among its ${what}, and it is said why it is not here`);
    const isOfTexts = (name) => what === 'layers' && kOfTexts.includes(name);
    const isThere = (name) => isOfTexts(name) || [name, ...all[name]].some((one) => there.has(plain(one)));
    const lacking = Object.keys(all).filter((name) => !isThere(name));
    counts.push(`| ${what} | ${Object.keys(all).length - lacking.length} of ${Object.keys(all).length} |`);
    const row = (name) => `| ${[name, ...all[name]].map(code).join(', ')} | ${isOfTexts(name) ? 'in [`fjord/text`](web.md#text)' : isThere(name) ? 'yes' : (reasons[name] ?? 'not there yet')} |`;
    parts.push(`## ${what[0].toUpperCase()}${what.slice(1)}`, '', '| Keras | Fjord |', '|---|---|', ...Object.keys(all).map(row), '');
  }
  return [`Keras ${keras}:`, '', '| | |', '|---|---|', ...counts, '', ...parts].join('\n').trimEnd();
}
