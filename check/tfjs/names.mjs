// Which names of TensorFlow.js Fjord does not have, as the lists of docs/tensorflowjs.md:
//
//   namesInMarkdown(fj, judge)     // the two packages
//
// Exports and methods are compared as they are. What is named by a text (losses, activations, ..) or in an object (arguments) is
// tried: Fjord refuses in words what it does not know. The names themselves are read from TensorFlow.js's own files.
import {readdirSync, readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const theirs = (file) => readFileSync(`${root}node_modules/@tensorflow/${file}`, 'utf8');

/** For those who write a backend of TensorFlow.js, or test one. */
const inner = new Set([
  'backend_util', 'broadcast_util', 'device_util', 'gather_util', 'scatter_util', 'slice_util', 'tensor_util', 'test_util', 'kernel_impls', 'shared',
  'gpgpu_util', 'webgl_util', 'webgl', 'Environment', 'ENV', 'KernelBackend', 'DataStorage', 'MathBackendCPU', 'MathBackendWebGL', 'GPGPUContext',
  'forceHalfFloat', 'setWebGLContext', 'registerKernel', 'unregisterKernel', 'getKernel', 'getKernelsForBackend', 'copyRegisteredKernels',
  'registerGradient', 'unregisterGradient', 'getGradient', 'registerBackend', 'removeBackend', 'findBackend', 'findBackendFactory', 'setPlatform',
  'OptimizerConstructors', 'deregisterOp', 'registerOp', 'default',
]);
/** What its classes call public and use among themselves. */
const ownWork = new Set([
  'buildNodeConversionMap', 'calculateLosses', 'clearCallHook', 'containerNodes', 'feedInputShapes', 'findLayer', 'fitLoop', 'id', 'inboundNodes',
  'initialWeights', 'inputLayers', 'inputLayersNodeIndices', 'inputLayersTensorIndices', 'internalContainerRefs', 'layersByDepth', 'loadTrainingConfig',
  'metricsTensors', 'nodesByDepth', 'outboundNodes', 'outputLayers', 'outputLayersNodeIndices', 'outputLayersTensorIndices', 'setCallHook',
  'setFastWeightInitDuringBuild', 'throwIfDisposed', 'rankType', 'kept', 'dataToGPU',
]);

/** All names that can follow a dot. */
function membersOf(object) {
  const names = new Set(Object.keys(object));
  for (let o = Object.getPrototypeOf(object); o && o !== Object.prototype; o = Object.getPrototypeOf(o)) for (const name of Object.getOwnPropertyNames(o)) names.add(name);
  return [...names].filter((name) => name !== 'constructor' && !name.startsWith('_') && !/_$/.test(name) && !ownWork.has(name));
}
/** Their members that the declarations do not call private or protected. */
function publicMembers(object, files) {
  const declared = files.map(theirs).join('\n');
  const own = (name) => new RegExp(`^ {4}(?:private|protected) (?:readonly |static |get |set )?${name}\\b`, 'm').test(declared);
  return membersOf(object).filter((name) => !own(name) && new RegExp(`^ {4}(?:readonly |abstract |get |set )*${name}\\b`, 'm').test(declared));
}

const row = (title, all, has) => ({title, of: all.length, lacking: all.filter((name) => !has(name)).sort((a, b) => a.localeCompare(b, 'en'))});

/** What the call says where it refuses; nothing where it does not. */
function wordsOf(call) {
  try {
    call();
    return '';
  } catch ({message}) {
    return message;
  }
}

// ---- exports ------------------------------------------------------------------------------------------------------------------

const kGroups = ['layers', 'train', 'losses', 'metrics', 'callbacks', 'initializers', 'regularizers', 'constraints', 'models', 'io', 'browser', 'image', 'data', 'linalg', 'signal', 'spectral', 'sparse', 'string', 'fused', 'math', 'serialization', 'util'];

function exportsIn(fj, judge) {
  // Texts are names of kernels, and versions.
  const names = Object.keys(judge).filter((name) => typeof judge[name] !== 'string' && !inner.has(name) && !kGroups.includes(name));
  // Its train is a class with static methods.
  const own = (object) => Object.getOwnPropertyNames(object).filter((name) => !['length', 'name', 'prototype'].includes(name));
  const groups = kGroups.map((group) => row(`\`tf.${group}\``, own(judge[group]).filter((name) => typeof judge[group][name] !== 'string' && !inner.has(name)), (name) => name in (fj[group] ?? {})));
  return [row('`tf`', names, (name) => name in fj), ...groups];
}

/** Interfaces and the like, which only TypeScript sees. */
function typesIn(judge) {
  const listed = (text) => [...text.matchAll(/export (?:type )?\{([^}]*)\}/g)].flatMap(([, list]) => list.split(',').map((name) => name.trim().replace(/^type /, '').replace(/.* as /, ''))).filter(Boolean);
  const ours = new Set(['index', 'forward'].flatMap((file) => listed(readFileSync(`${root}build/npm/types/${file}.d.ts`, 'utf8'))));
  const names = ['tfjs-core/dist/base.d.ts', 'tfjs-layers/dist/index.d.ts'].flatMap((file) => listed(theirs(file))).filter((name) => !(name in judge));
  // Of backends, as above.
  const isInner = (name) => /^(Backend|Data(Id|Mover|ToGPU|Values)|GPUData|ForwardFunc|GradSaveFunc|Platform|WebG|TensorInfo$|TimingInfo|version)/.test(name);
  return row('types of TypeScript', names.filter((name) => !isInner(name)), (name) => ours.has(name));
}

// ---- methods and properties ---------------------------------------------------------------------------------------------------

function methodsIn(fj, judge) {
  const made = [fj, judge].map((tf) => {
    const layer = tf.layers.dense({units: 1, inputShape: [1]});
    const model = tf.sequential({layers: [layer]});
    model.compile({optimizer: 'sgd', loss: 'meanSquaredError'});
    return {tensor: tf.scalar(1), layer, model, optimizer: tf.train.sgd(0.1)};
  });
  const [ours, judges] = made;
  const has = (object) => (name) => name in object;
  const rows = [
    row('a tensor: methods', membersOf(Object.getPrototypeOf(judges.tensor)), has(ours.tensor)),
    row('a model: methods and properties', publicMembers(judges.model, ['engine/training.d.ts', 'engine/container.d.ts', 'engine/topology.d.ts', 'models.d.ts'].map((file) => `tfjs-layers/dist/${file}`)), has(ours.model)),
    row('a layer: methods and properties', publicMembers(judges.layer, ['tfjs-layers/dist/engine/topology.d.ts', 'tfjs-core/dist/serialization.d.ts']), has(ours.layer)),
    row('an optimizer: methods and properties', publicMembers(judges.optimizer, ['tfjs-core/dist/optimizers/optimizer.d.ts', 'tfjs-core/dist/serialization.d.ts']), has(ours.optimizer)),
  ];
  for (const {model, tensor} of made) (model.dispose(), tensor.dispose());
  return rows;
}

// ---- texts and arguments, by trying -------------------------------------------------------------------------------------------

const keysOf = (file, name) => theirs(file).match(new RegExp(`${name} = \\{([^}]*)\\}`))[1].split(',').map((entry) => entry.trim().split(':')[0].replaceAll("'", '')).filter(Boolean);

function textsIn(fj) {
  const network = (args) => fj.sequential({layers: [fj.layers.dense({units: 2, inputShape: [2], ...args})]});
  const tries = (make) => (text) => {
    const words = wordsOf(() => make(text));
    if (words && !/unknown|there is no/i.test(words)) throw new Error(`${text}: ${words}`);
    return !words;
  };
  const inLayer = (key) => tries((text) => network({[key]: text}).info());
  const compiled = (args) => network().compile({optimizer: 'sgd', loss: 'meanSquaredError', ...args});
  const losses = keysOf('tfjs-layers/dist/losses.js', 'lossesMap');
  const activations = [...theirs('tfjs-layers/dist/activations.js').matchAll(/className = '(\w+)'/g)].map(([, name]) => name);
  const registered = (file, kind) => keysOf(`tfjs-layers/dist/${file}.js`, `${kind}_IDENTIFIER_REGISTRY_SYMBOL_MAP`);
  const optimizers = [...theirs('tfjs-layers/dist/optimizers.js').matchAll(/optimizerMap\['(\w+)'\] =/g)].map(([, name]) => name);
  return [
    row('optimizers by name', optimizers, tries((optimizer) => compiled({optimizer}))),
    row('losses by name', losses, tries((loss) => compiled({loss}))),
    row('metrics by name', [...new Set(['accuracy', 'acc', 'crossentropy', 'ce', ...keysOf('tfjs-layers/dist/metrics.js', 'metricsMap'), ...losses])], tries((metric) => compiled({metrics: [metric]}))),
    row('activations by name', activations, inLayer('activation')),
    row('initializers by name', registered('initializers', 'INITIALIZER'), inLayer('kernelInitializer')),
    row('regularizers by name', registered('regularizers', 'REGULARIZER'), inLayer('kernelRegularizer')),
    row('constraints by name', registered('constraints', 'CONSTRAINT'), inLayer('kernelConstraint')),
  ];
}

/** The keys of each interface of layers' arguments, with those that it extends. */
function interfaces() {
  const folder = 'tfjs-layers/dist/';
  const files = readdirSync(`${root}node_modules/@tensorflow/${folder}layers`).filter((file) => file.endsWith('.d.ts') && !file.includes('_test')).map((file) => `${folder}layers/${file}`);
  const text = [...files, `${folder}engine/topology.d.ts`].map(theirs).join('\n');
  const found = new Map([...text.matchAll(/interface (\w+)(?: extends ([\w, ]+))? \{\n([^]*?)\n\}/g)].map(([, name, parents, body]) => [name, {parents: parents?.split(', ') ?? [], keys: [...body.matchAll(/^ {4}(\w+)\??:/gm)].map(([, key]) => key)}]));
  const all = (name) => {
    const {parents, keys} = found.get(name) ?? {parents: [], keys: []};
    return [...parents.flatMap(all), ...keys];
  };
  return all;
}

/** What a layer needs before it is asked for another argument. */
const needed = {
  dense: {units: 1}, conv2d: {filters: 1, kernelSize: 1}, conv2dTranspose: {filters: 1, kernelSize: 1}, separableConv2d: {filters: 1, kernelSize: 1},
  depthwiseConv2d: {kernelSize: 1}, activation: {activation: 'relu'}, reshape: {targetShape: [4]}, permute: {dims: [1, 2, 3]}, repeatVector: {n: 1},
  conv1d: {filters: 1, kernelSize: 1}, conv3d: {filters: 1, kernelSize: 1}, conv3dTranspose: {filters: 1, kernelSize: 1}, cropping2D: {cropping: 0}, dot: {axes: 1}, zeroPadding2d: {padding: 0}, dropout: {rate: 0.1}, rescaling: {scale: 1},
};

function argumentsIn(fj, judge) {
  const keysOf = interfaces();
  const pairs = [...theirs('tfjs-layers/dist/exports_layers.d.ts').matchAll(/function (\w+)\(args\??: (\w+)\)/g)]
    .filter(([, layer]) => layer in judge.layers && layer in fj.layers)
    .flatMap(([, layer, args]) => [...new Set(keysOf(args))].map((key) => `${layer}.${key}`));
  const takes = (pair) => {
    const [layer, key] = pair.split('.');
    const axes = Number(/([123])d/i.exec(layer)?.[1] ?? 2);
    const args = {inputShape: layer === 'repeatVector' ? [2] : [...Array(axes).fill(2), 1], ...needed[layer], [key]: null};
    return !/is not an argument of/.test(wordsOf(() => fj.sequential({layers: [fj.layers[layer](args)]}).info()));
  };
  return row('arguments of the layers that both have', pairs, takes);
}

async function callsIn(fj) {
  const keys = (file, name) => {
    const [, body] = theirs(`tfjs-layers/dist/engine/${file}.d.ts`).match(new RegExp(`interface ${name} \\{([^]*?)\n\\}`));
    return [...body.matchAll(/^ {4}(\w+)\??:/gm)].map(([, key]) => key);
  };
  const model = fj.sequential({layers: [fj.layers.dense({units: 1, inputShape: [1]})]});
  const described = {optimizer: 'sgd', loss: 'meanSquaredError'};
  model.compile(described);
  const x = fj.zeros([1, 1]);
  const isUnknown = (words) => /there is no argument/.test(words);
  const fitKeys = keys('training_tensors', 'ModelFitArgs');
  const refused = [];
  for (const key of fitKeys) await model.fit(x, x, {[key]: null}).catch(({message}) => isUnknown(message) && refused.push(key));
  const takes = (call) => (key) => !isUnknown(wordsOf(() => call({[key]: null})));
  const rows = [
    row('arguments of `fit`', fitKeys, (key) => !refused.includes(key)),
    row('arguments of `evaluate`', keys('training', 'ModelEvaluateArgs'), takes((args) => model.evaluate(x, x, args))),
    row('arguments of `compile`', keys('training', 'ModelCompileArgs'), takes((args) => model.compile({...args, ...described}))),
  ];
  model.dispose();
  x.dispose();
  return rows;
}

// ---- as text ------------------------------------------------------------------------------------------------------------------

const code = (names) => names.map((name) => `\`${name}\``).join(', ');
const item = ({title, of, lacking}) => `- **${title}**, ${lacking.length === of ? `all ${of}` : `${lacking.length} of ${of}`}: ${code(lacking)}`;

/** What only Fjord has: of exports, and of layers, optimizers and callbacks. */
function more(fj, judge) {
  const own = Object.keys(fj).filter((name) => !(name in judge));
  const inGroups = kGroups.filter((group) => fj[group]).flatMap((group) => Object.keys(fj[group]).filter((name) => !(name in judge[group])).map((name) => `${group}.${name}`));
  return code([...own, ...inGroups].sort((a, b) => a.localeCompare(b, 'en')));
}

export async function namesInMarkdown(fj, judge) {
  const rows = [...exportsIn(fj, judge), ...methodsIn(fj, judge), ...textsIn(fj), argumentsIn(fj, judge), ...(await callsIn(fj)), typesIn(judge)];
  const lacking = rows.filter((row) => row.lacking.length);
  const whole = rows.filter((row) => !row.lacking.length);
  return [
    `Of @tensorflow/tfjs ${judge.version_core} there is all of ${whole.map(({title, of}) => `${title} (${of})`).join(', ')}. Missing is of`,
    '',
    ...lacking.map(item),
    '',
    `Only here: ${more(fj, judge)}.`,
  ].join('\n');
}
