// Runs the specs of a bundle with jasmine, and writes what became of each as JSON:
//
//   node check/tfjs/run.mjs build/tfjs/core.mjs build/tfjs/core.json
//
// The result is a list of {name, status, problems: [text]} in the order in which they ran.
import {createRequire} from 'node:module';
import {writeFileSync} from 'node:fs';
import {resolve} from 'node:path';

const [bundle, out] = process.argv.slice(2);
const jasmineRequire = createRequire(import.meta.url)('jasmine-core');
const {jasmine, ...names} = jasmineRequire.noGlobals();
Object.assign(globalThis, names, {jasmine});
jasmine.DEFAULT_TIMEOUT_INTERVAL = 60_000;

// Specs of random numbers ask for means within bounds, which one of some hundred runs misses by chance: all runs are this one. Fjord
// draws the number of its session from here, too.
let state = 1;
Math.random = () => {
  state = (state + 0x9e3779b9) | 0;
  let bits = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
  bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97);
  return ((bits ^ (bits >>> 15)) >>> 0) / 2 ** 32;
};

// What specs print is not of interest.
for (const kind of ['log', 'info', 'warn']) console[kind] = () => {};

// A spec that expects an error gets one of any name that is missing, which is not the error that it means.
let lacking = [];
// A helper of theirs does mean such an error.
const isLacking = (error) =>
  error instanceof TypeError && /is not a (?:function|constructor)|of undefined/.test(error.message) && !error.stack.includes('concatenateTypedArrays');
const noticing = (f) => (...args) => {
  try {
    return f(...args);
  } catch (error) {
    if (isLacking(error)) lacking.push(String(error));
    throw error;
  }
};
const {expect} = names;
globalThis.expect = (actual) => expect(typeof actual === 'function' && !jasmine.isSpy(actual) ? noticing(actual) : actual);

const env = jasmine.getEnv();
env.configure({random: false, failSpecWithNoExpectations: false});
const results = [];
let running = '';
env.addReporter({
  specStarted: ({fullName}) => {
    running = fullName;
    lacking = [];
  },
  specDone: ({fullName, status, failedExpectations}) => {
    const problems = failedExpectations.map(({message}) => message);
    if (status === 'passed' && lacking.length) results.push({name: fullName, status: 'failed', problems: lacking});
    else results.push({name: fullName, status, problems});
  },
});
process.on('exit', (code) => {
  if (code) process.stderr.write(`ended while "${running}" ran, after ${results.length} specs\n`);
});
await import(resolve(bundle));
await env.execute();
writeFileSync(out, JSON.stringify(results));
process.exit(0);
