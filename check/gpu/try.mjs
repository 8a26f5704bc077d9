// Plays the cases of check/gpu/cases.cc and compares: in a page or in Node.
//
//   const {op, name, problem, error, tolerance} = await tryCase(gpu, line);
//   const {ops, refused, failures} = await tryCases(gpu, lines, {say: console.log});

const number = (v) => (typeof v === 'string' ? {nan: NaN, inf: Infinity, '-inf': -Infinity}[v] : v);
const arrayOf = ({dtype, values}) => (dtype === 'float32' ? Float32Array : Int32Array).from(values, number);

/**
 * {why, error}: why an output is wrong, or '', and its largest error: of floats as a part of 1 + the largest number that is wanted. NaN
 * where a number is wanted and none came.
 */
function compare(bytes, {values, dtype}, tolerance) {
  const isFloat = dtype === 'float32';
  const got = isFloat ? new Float32Array(bytes) : new Int32Array(bytes);
  const want = values.map(number);
  const largest = want.reduce((m, v) => (Number.isFinite(v) ? Math.max(m, Math.abs(v)) : m), 0);
  const [unit, bound] = isFloat ? [1 + largest, tolerance * (1 + largest)] : [1, 0];
  const same = (a, b) => (Number.isFinite(b) ? Math.abs(a - b) <= bound : Object.is(a, b));
  const at = want.findIndex((v, i) => !same(got[i], v));
  const error = want.reduce((m, v, i) => (Number.isFinite(v) ? Math.max(m, Math.abs(got[i] - v) / unit) : m), 0);
  return {why: at < 0 ? '' : `element ${at} of ${want.length} is ${got[at]}, want ${want[at]}`, error};
}

/** {op, name, refused} or {op, name, problem, error, tolerance, dispatches, ms}: the largest error of the outputs, '' where all is right. */
export async function tryCase(gpu, line) {
  const {op, name, program, refused, inputs, outputs, tolerance} = JSON.parse(line);
  if (refused) return {op, name, refused};
  let problem = '';
  let error = 0;
  const start = performance.now();
  try {
    gpu.device.pushErrorScope('validation');
    const player = await gpu.player(program);
    inputs.forEach((input, i) => player.write(i, arrayOf(input)));
    player.run();
    const got = await player.readOutputs();
    const refusal = await gpu.device.popErrorScope();
    if (refusal) problem = refusal.message;
    outputs.forEach((want, i) => {
      const seen = compare(got[i], want, tolerance);
      error = Math.max(error, seen.error);
      if (seen.why) problem ||= `output ${i}: ${seen.why}`;
    });
    player.dispose();
  } catch (thrown) {
    [problem, error] = [thrown.message, NaN];
  }
  return {op, name, problem: problem.slice(0, 400), error, tolerance, dispatches: program.dispatches.length, ms: performance.now() - start};
}

/** {ops, refused: [{op, why}], failures: [text], bytes: of GPU memory that are left, pipelines}. */
export async function tryCases(gpu, lines, {list = false, say = () => {}} = {}) {
  say(`${lines.length} cases on ${gpu.name}`);
  const ops = new Set();
  const refused = [];
  const failures = [];
  for (const line of lines) {
    const {op, name, refused: why, problem, dispatches, ms} = await tryCase(gpu, line);
    if (why) {
      refused.push({op, why});
      continue;
    }
    ops.add(op);
    if (list) say(`${op}, ${name}: ${dispatches} dispatches, ${ms.toFixed(0)} ms`);
    if (problem) {
      failures.push(`${op}, ${name}: ${problem}`);
      say(failures.at(-1));
    }
  }
  return {ops: [...ops], refused, failures, bytes: gpu.bytes, pipelines: gpu.pipelineCount};
}
