// Plays the cases of check/gpu/cases.cc and compares: in a page or in Node.

const number = (v) => (typeof v === 'string' ? {nan: NaN, inf: Infinity, '-inf': -Infinity}[v] : v);
const arrayOf = ({dtype, values}) => (dtype === 'float32' ? Float32Array : Int32Array).from(values, number);

/** Why an output is wrong, or ''. */
function wrong(bytes, {values, dtype}, tolerance) {
  const got = dtype === 'float32' ? new Float32Array(bytes) : new Int32Array(bytes);
  const want = values.map(number);
  const largest = want.reduce((m, v) => (Number.isFinite(v) ? Math.max(m, Math.abs(v)) : m), 0);
  const bound = dtype === 'float32' ? tolerance * (1 + largest) : 0;
  const same = (a, b) => (Number.isFinite(b) ? Math.abs(a - b) <= bound : Object.is(a, b));
  const at = want.findIndex((v, i) => !same(got[i], v));
  return at < 0 ? '' : `element ${at} of ${want.length} is ${got[at]}, want ${want[at]}`;
}

/** {ops, refused: [{op, why}], failures: [text], bytes: of GPU memory that are left, pipelines}. */
export async function tryCases(gpu, lines, list, say) {
  say(`${lines.length} cases on ${gpu.name}`);
  const ops = new Set();
  const refused = [];
  const failures = [];
  for (const line of lines) {
    const {op, name, program, refused: why, inputs, outputs, tolerance} = JSON.parse(line);
    if (why) {
      refused.push({op, why});
      continue;
    }
    let problem = '';
    const start = performance.now();
    try {
      gpu.device.pushErrorScope('validation');
      const player = await gpu.player(program);
      inputs.forEach((input, i) => player.write(i, arrayOf(input)));
      player.run();
      const got = await player.readOutputs();
      const error = await gpu.device.popErrorScope();
      if (error) problem = error.message;
      outputs.forEach((want, i) => {
        const why = wrong(got[i], want, tolerance);
        if (why) problem ||= `output ${i}: ${why}`;
      });
      player.dispose();
    } catch (error) {
      problem = error.message;
    }
    ops.add(op);
    if (list) say(`${op}, ${name}: ${program.dispatches.length} dispatches, ${(performance.now() - start).toFixed(0)} ms`);
    if (problem) {
      failures.push(`${op}, ${name}: ${problem.slice(0, 400)}`);
      say(failures.at(-1));
    }
  }
  return {ops: [...ops], refused, failures, bytes: gpu.bytes, pipelines: gpu.pipelineCount};
}
