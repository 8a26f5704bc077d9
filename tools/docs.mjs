// Writes build/docs/ops.md: all ops with their attributes and gradients, the layers with their arguments, activations and
// optimizers, from the engine's own tables; the lists of docs/keras.md; and those of docs/tensorflowjs.md: what TensorFlow.js has and Fjord
// does not, from both packages.
//
//   ./dev docs
import {execFileSync} from 'node:child_process';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {namesInMarkdown} from '../check/tfjs/names.mjs';
import {buildPackage, fail, root} from './build.mjs';
import {kerasInMarkdown} from './keras.mjs';

await buildPackage().catch(fail);
const described = JSON.parse(execFileSync(`${root}build/native/describe`, {encoding: 'utf8'}));
const {ops, layers, everyLayer, activations, optimizers, tables} = described;

const attribute = ({name, type, default: value}) => `\`${name}\`: ${type} = ${JSON.stringify(value)}`;
const gradient = (text) => (text === 'yes' ? 'yes' : text === 'zero' ? 'zero everywhere' : `none: ${text}`);
const row = (op) => `| ${op.name} | ${op.arity < 0 ? 'any' : op.arity} | ${op.attrs.map(attribute).join('; ')} | ${gradient(op.gradient)} | ${op.gpu === 'yes' ? 'yes' : `none: ${op.gpu}`} |`;
const argument = ({names, kind, needed, default: value, choices, words}) => {
  const about = needed ? 'needed' : value === null ? '' : `default ${JSON.stringify(value)}`;
  return `| ${names.map((name) => `\`${name}\``).join(', ')} | ${choices ? choices.join(', ') : kind} | ${about} | ${words} |`;
};
const table = (list) => (list.length ? `| argument | kind | | |\n|---|---|---|---|\n${list.map(argument).join('\n')}\n` : 'It has none of its own.\n');
const rows = (what) => tables[what].map(({name, arguments: list}) => `### ${name}\n\n${table(list)}`).join('\n');
const text = `# Ops

${ops.length} ops. Attributes with their defaults; types are float32, int32 and bool.

| op | inputs | attributes | gradient | WebGPU |
|---|---|---|---|---|
${ops.map(row).join('\n')}

# Layers

Each has these arguments:

${table(everyLayer)}
${layers.map((layer) => `## ${layer.className}\n\n${table(layer.arguments)}`).join('\n')}
# What is chosen by name

${Object.keys(tables).map((what) => `## ${what}s\n\n${rows(what)}`).join('\n')}

# Activations

${activations.map((name) => `\`${name}\``).join(', ')}

# Optimizers

${optimizers.map(({name, rate}) => `\`${name}\` (learning rate ${rate})`).join(', ')}
`;
mkdirSync(`${root}build/docs`, {recursive: true});
writeFileSync(`${root}build/docs/ops.md`, text);
console.log(`build/docs/ops.md: ${ops.length} ops, ${layers.length} layers, ${activations.length} activations, ${optimizers.length} optimizers`);

/** Puts a text between the marks of a page. */
function fillIn(file, text) {
  const page = `${root}docs/${file}`;
  writeFileSync(page, readFileSync(page, 'utf8').replace(/(<!-- names -->\n)[^]*?(\n<!-- end -->)/, (_, start, end) => start + text + end));
}
fillIn('keras.md', kerasInMarkdown(described));
console.log('docs/keras.md: what of Keras there is');

const judge = createRequire(import.meta.url)('@tensorflow/tfjs');
judge.env().set('PROD', true);
const fj = await import('../build/npm/fjord.js');
await Promise.all([judge.setBackend('cpu'), fj.ready()]);
fillIn('tensorflowjs.md', await namesInMarkdown(fj, judge));
console.log('docs/tensorflowjs.md: the names that are missing');
