// TensorFlow.js's own specs, which its npm package ships compiled, made into one program that runs them on Fjord.
//
//   const {specs, left} = await bundleSpecs('build/tfjs/core.mjs');   // left: files that are not of the public API, and why
//
// A spec file asks for '../index', where the public API is. It gets Fjord in its place. A file that also asks for inner modules
// of TensorFlow.js tests these, and is left out; helpers of its tests are taken as they are.
import {readdirSync, readFileSync, realpathSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {build} from 'esbuild';

const root = fileURLToPath(new URL('../../', import.meta.url));
// By its real path, which importers are named by.
const core = realpathSync(`${root}node_modules/@tensorflow/tfjs-core/dist`);
const here = `${root}check/tfjs`;

/** What stands in for a module, by the last part of its path. */
const replaced = {jasmine_util: `${here}/jasmine_util.js`, test_util: `${here}/test_util.js`};
/** Modules of the public API: the whole of it, and those of single ops and classes. */
const ofTheApi = ['index', '..', 'ops', 'bitwise_and', 'ensure_shape', 'gather_nd', 'scalar', 'tensor1d', 'tensor2d', 'tensor3d', 'tensor', 'optimizer', 'sgd_optimizer'];
/** Modules that only help tests: numbers to compare with, encodings, constants. */
const helpers = ['image_test_util', 'rand_util', 'identity_pool_test', 'util', 'io_utils', 'composite_array_buffer', 'reduce_util', 'selu_util', 'tensor_util_env'];
/** Files with one or two specs of the inner state, which then fail, and many of the API. */
const taken = ['gradients_test.js'];

const lastPart = (path) => path.split('/').at(-1);

/** Why a spec file is not of the public API; empty for one that is. */
function innerModules(file) {
  const source = readFileSync(`${core}/${file}`, 'utf8');
  const asked = [...source.matchAll(/^import (?:[^'"]* from )?'(\.[^']*)'/gm)].map(([, path]) => lastPart(path));
  if (taken.includes(file)) return [];
  if (!asked.some((name) => ofTheApi.includes(name))) return ['does not ask for the public API'];
  return [...new Set(asked)].filter((name) => !(name in replaced) && !ofTheApi.includes(name) && !helpers.includes(name));
}

/** Resolves imports of spec files to Fjord, and those of TensorFlow.js's helpers as they are. */
const onFjord = {
  name: 'on-fjord',
  setup(builder) {
    builder.onResolve({filter: /^\./}, ({path, importer}) => {
      if (!importer.endsWith('_test.js') || !importer.startsWith(core)) return undefined;
      const name = lastPart(path);
      if (ofTheApi.includes(name)) return {path: `${here}/fjord.js`};
      return replaced[name] ? {path: replaced[name]} : undefined;
    });
    // The package is loaded at run time, from where it was built.
    builder.onResolve({filter: /^fjord$/}, () => ({path: process.env.FJORD_PACKAGE ?? `${root}build/npm/fjord.js`, external: true}));
  },
};

export async function bundleSpecs(outfile) {
  const files = readdirSync(core, {recursive: true})
    .filter((file) => file.endsWith('_test.js'))
    .sort();
  const left = files.map((file) => ({file, inner: innerModules(file)})).filter(({inner}) => inner.length);
  const specs = files.filter((file) => !left.some((other) => other.file === file));
  await build({
    stdin: {contents: specs.map((file) => `import ${JSON.stringify(`${core}/${file}`)};`).join('\n'), resolveDir: root, loader: 'js'},
    outfile,
    bundle: true,
    // The package says that its modules have no effects but a few: specs have.
    ignoreAnnotations: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // A name that Fjord does not have is undefined when a spec asks for it, which the count tells.
    logOverride: {'import-is-undefined': 'silent', 'unsupported-require-call': 'silent'},
    logLevel: 'error',
    banner: {js: "import {createRequire} from 'node:module'; const require = createRequire(import.meta.url);"},
    plugins: [onFjord],
  });
  return {specs, left};
}
