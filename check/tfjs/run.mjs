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

// What specs print is not of interest.
for (const kind of ['log', 'info', 'warn']) console[kind] = () => {};

const env = jasmine.getEnv();
env.configure({random: false, failSpecWithNoExpectations: false});
const results = [];
let running = '';
env.addReporter({
  specStarted: ({fullName}) => {
    running = fullName;
  },
  specDone: ({fullName, status, failedExpectations}) => {
    results.push({name: fullName, status, problems: failedExpectations.map(({message}) => message)});
  },
});
process.on('exit', (code) => {
  if (code) process.stderr.write(`ended while "${running}" ran, after ${results.length} specs\n`);
});
await import(resolve(bundle));
await env.execute();
writeFileSync(out, JSON.stringify(results));
process.exit(0);
