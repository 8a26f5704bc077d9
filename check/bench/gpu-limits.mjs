// What an adapter can do at most: bare shaders, as programs for the player like any other.
//
//   multiplyAdds('a * x + y', groups)      // {program, operations(loops), numbers(loops), result(thread, loops)}
//   copyOf(bytes), readOf(bytes)           // {program, bytes}

const kInput = 1;
const kOutput = 2;
const kThreads = 256;

// Independent chains of four, enough to hide the latency of each; 32 of a thread's registers.
const kChains = 8;
const kUnrolled = 4;

/** A program of one dispatch: inputs and outputs are bound in their order. */
const single = (code, inputs, outputs, groups) => ({
  shaders: [code],
  dispatches: [
    {
      shader: 0,
      bindings: [...inputs.map((bytes, i) => [kInput, i, 0, bytes]), ...outputs.map((bytes, i) => [kOutput, i, 0, bytes])],
      groups: [groups, 1, 1],
    },
  ],
  inputs,
  outputs,
  arenas: [],
  settled: [0, 0],
});

const each = (count, text) => Array.from({length: count}, (_, i) => text(i)).join(' ');

/**
 * Bare multiply-adds by a formula of a, x and y. The factors and the number of loops are read from a buffer, and every
 * thread's result is written, so none can be left out.
 */
export function multiplyAdds(formula, groups) {
  const step = each(kChains, (i) => `a${i} = ${formula.replaceAll(/\ba\b/g, `a${i}`)};`);
  const code = `
    struct Numbers { x: f32, y: f32, loops: u32, }
    @group(0) @binding(0) var<storage, read_write> numbers: Numbers;
    @group(0) @binding(1) var<storage, read_write> sink: array<f32>;
    @compute @workgroup_size(${kThreads}) fn main(@builtin(global_invocation_id) id: vec3u) {
      let x = vec4f(numbers.x);
      let y = vec4f(numbers.y);
      let loops = numbers.loops;
      let first = vec4f(0.0, 1.0, 2.0, 3.0) + f32(id.x % 64u);
      ${each(kChains, (i) => `var a${i} = first + ${i}.0;`)}
      for (var k = 0u; k < loops; k++) { ${each(kUnrolled, () => step)} }
      let total = ${Array.from({length: kChains}, (_, i) => `a${i}`).join(' + ')};
      sink[id.x] = total.x + total.y + total.z + total.w;
    }`;
  const threads = groups * kThreads;
  const [x, y] = [0.999, 0.25];
  return {
    program: single(code, [12], [4 * threads], groups),
    operations: (loops) => 2 * 4 * kChains * kUnrolled * loops * threads,
    numbers(loops) {
      const bytes = new DataView(new ArrayBuffer(12));
      bytes.setFloat32(0, x, true);
      bytes.setFloat32(4, y, true);
      bytes.setUint32(8, loops, true);
      return new Uint8Array(bytes.buffer);
    },
    /** What a thread writes. */
    result(thread, loops) {
      let total = 0;
      for (let i = 0; i < 4 * kChains; ++i) {
        let a = (i % 4) + (thread % 64) + Math.floor(i / 4);
        for (let k = 0; k < kUnrolled * loops; ++k) a = Math.fround(a * Math.fround(x) + y);
        total += a;
      }
      return total;
    },
  };
}

/** Reads half as many bytes and writes them. */
export function copyOf(bytes) {
  const half = 16 * Math.max(1, Math.round(bytes / 32));
  const code = `
    @group(0) @binding(0) var<storage, read_write> input: array<vec4f>;
    @group(0) @binding(1) var<storage, read_write> output: array<vec4f>;
    @compute @workgroup_size(${kThreads}) fn main(@builtin(global_invocation_id) id: vec3u) {
      if (id.x < arrayLength(&input)) { output[id.x] = input[id.x]; }
    }`;
  return {program: single(code, [half], [half], Math.ceil(half / 16 / kThreads)), bytes: 2 * half};
}

/** Reads so many bytes; a thread's sum is written where it is not the 0 of an empty buffer, which no compiler knows. */
export function readOf(bytes) {
  const length = 16 * Math.max(1, Math.round(bytes / 16));
  const kReads = 8;
  const code = `
    @group(0) @binding(0) var<storage, read_write> input: array<vec4f>;
    @group(0) @binding(1) var<storage, read_write> output: array<vec4f>;
    @compute @workgroup_size(${kThreads}) fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
      let first = group.x * ${kThreads * kReads}u + local;
      var sum = vec4f();
      for (var k = 0u; k < ${kReads}u; k++) {
        let i = first + k * ${kThreads}u;
        if (i < arrayLength(&input)) { sum += input[i]; }
      }
      if (any(sum != vec4f())) { output[0] = sum; }
    }`;
  return {program: single(code, [length], [16], Math.ceil(length / 16 / kThreads / kReads)), bytes: length};
}
