// What a spec gets where it asks for TensorFlow.js: Fjord, with a list of the variables that a spec makes, because they end with it.
import * as fjord from 'fjord';

export * from 'fjord';

const made = [];
export function variable(...args) {
  const v = fjord.variable(...args);
  made.push(v);
  return v;
}

// TensorFlow.js's engine is made anew for a spec, so specs count from nothing.
let before = fjord.memory();
export function memory() {
  const now = fjord.memory();
  const counts = ['numTensors', 'numBytes', 'numDataBuffers'].map((name) => [name, now[name] - before[name]]);
  return {...now, ...Object.fromEntries(counts)};
}

/** A spec's tensors and variables end with it. */
export function startSpec() {
  before = fjord.memory();
  fjord.engine().startScope();
}
export function endSpec() {
  fjord.engine().endScope();
  for (const v of made.splice(0)) v.dispose();
}
