// What of Keras there is: docs/keras.md, from Keras's names (check/goldens/keras_names.py) and the engine's tables.
import {readFileSync} from 'node:fs';
import {root} from './build.mjs';

/** As the engine compares names: by their letters and digits. */
const plain = (name) => name.toLowerCase().replaceAll('_', '');

/** For each of the lists, the names that the engine has, and why it has not others. */
function listsOf({layers, activations, tables, refusedLayers}) {
  const namesIn = (what) => tables[what].flatMap(({name}) => name);
  return {
    // What begins a model is no row of the engine's table.
    layers: {has: [...layers.map(({className}) => className), 'InputLayer'], reasons: refusedLayers},
    activations: {has: activations},
    initializers: {has: namesIn('initializer')},
    regularizers: {has: namesIn('regularizer')},
    constraints: {has: namesIn('constraint')},
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
    if (stale) throw new Error(`the engine has the layer ${stale}, and says why it has not`);
    const isThere = (name) => there.has(plain(name));
    const lacking = Object.keys(all).filter((name) => !isThere(name));
    counts.push(`| ${what} | ${Object.keys(all).length - lacking.length} of ${Object.keys(all).length} |`);
    const row = (name) => `| ${[name, ...all[name]].map(code).join(', ')} | ${isThere(name) ? 'yes' : (reasons[name] ?? 'not there yet')} |`;
    parts.push(`## ${what[0].toUpperCase()}${what.slice(1)}`, '', '| Keras | Fjord |', '|---|---|', ...Object.keys(all).map(row), '');
  }
  return [`Keras ${keras}:`, '', '| | |', '|---|---|', ...counts, '', ...parts].join('\n').trimEnd();
}
