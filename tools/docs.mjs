// Writes build/docs/ops.md: all ops with their attributes and gradients, the layers, activations and optimizers, from the
// engine's own tables.
//
//   ./dev docs
import {execFileSync} from 'node:child_process';
import {mkdirSync, writeFileSync} from 'node:fs';
import {build, fail, root} from './build.mjs';

await build('native', ['describe']).catch(fail);
const {ops, layers, activations, optimizers} = JSON.parse(execFileSync(`${root}build/native/describe`, {encoding: 'utf8'}));

const attribute = ({name, type, default: value}) => `\`${name}\`: ${type} = ${JSON.stringify(value)}`;
const gradient = (text) => (text === 'yes' ? 'yes' : text === 'zero' ? 'zero everywhere' : `none: ${text}`);
const row = (op) => `| ${op.name} | ${op.arity < 0 ? 'any' : op.arity} | ${op.attrs.map(attribute).join('; ')} | ${gradient(op.gradient)} | ${op.gpu === 'yes' ? 'yes' : `none: ${op.gpu}`} |`;
const text = `# Ops

${ops.length} ops. Attributes with their defaults; types are float32, int32 and bool.

| op | inputs | attributes | gradient | WebGPU |
|---|---|---|---|---|
${ops.map(row).join('\n')}

# Layers

${layers.map((layer) => `\`${layer.className}\``).join(', ')}

# Activations

${activations.map((name) => `\`${name}\``).join(', ')}

# Optimizers

${optimizers.map(({name, rate}) => `\`${name}\` (learning rate ${rate})`).join(', ')}
`;
mkdirSync(`${root}build/docs`, {recursive: true});
writeFileSync(`${root}build/docs/ops.md`, text);
console.log(`build/docs/ops.md: ${ops.length} ops, ${layers.length} layers, ${activations.length} activations, ${optimizers.length} optimizers`);
