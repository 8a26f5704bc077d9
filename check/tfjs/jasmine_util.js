// How TensorFlow.js's specs say where they run. Here that is one environment: Fjord in Node.
import {endSpec, startSpec} from './fjord.js';

export const ALL_ENVS = {};
export const SYNC_BACKEND_ENVS = {};
export const NODE_ENVS = {};
export const HAS_WORKER = {};
export const HAS_NODE_WORKER = {};
const elsewhere = {elsewhere: true};
export const BROWSER_ENVS = elsewhere;
export const CHROME_ENVS = elsewhere;
export const WEBGL_ENVS = elsewhere;

const here = {name: 'fjord', backendName: 'wasm', isDataSync: true};

export function describeWithFlags(name, constraints, tests) {
  const {elsewhere: isElsewhere, flags, predicate} = constraints ?? {};
  if (isElsewhere || flags || (predicate && !predicate(here))) return;
  describe(name, () => {
    beforeEach(startSpec);
    afterEach(endSpec);
    tests(here);
  });
}
export const runWithLock = (spec) => spec;
export const setTestEnvs = () => {};
export const TEST_ENVS = [here];
