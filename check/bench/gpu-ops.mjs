// Problems of fjord_bench_ops --programs on a GPU, in a page or in Node: compared with the values that they bring, then timed
// beside the adapter's own limits in the same moments.
//
//   const bench = await openBench(gpu, {rounds: 7, slice: 20, budget: 20});
//   const row = await bench.measure(problem);
//
// A row is {ms, rate, limit, unit} in 1e9 operations or bytes a second, medians of the rounds; or {over}, {wrong}, each with why.
import {copyOf, multiplyAdds, readOf} from './gpu-limits.mjs';

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];

// A run shorter than this is repeated within a command buffer, so that submitting is not what is measured; as often at most.
const kSubmitted = 2e-3;
const kMostRepeats = 32;

/** The same program, run so many times by one command buffer. */
function repeated(program, times) {
  const {dispatches, settled} = program;
  const again = [...dispatches.slice(0, settled[0]), ...dispatches.slice(settled[1])];
  return {...program, dispatches: [...dispatches, ...Array.from({length: times - 1}, () => again).flat()]};
}

/** Runs of a program in samples of at least `slice` seconds each. */
class Sampler {
  constructor(gpu, program, slice) {
    Object.assign(this, {gpu, program, slice, repeats: 1, submits: 1});
  }
  /** Makes what it needs; `write(player)` fills the inputs. */
  async open(write = () => {}) {
    this.first = this.player = await this.gpu.player(this.program);
    write(this.player);
    return this;
  }
  /** Seconds of so many command buffers. */
  async seconds(submits = this.submits) {
    const start = performance.now();
    for (let i = 0; i < submits; ++i) this.player.run();
    await this.gpu.device.queue.onSubmittedWorkDone();
    return (performance.now() - start) / 1e3;
  }
  /** Finds how many runs make a sample; gives the seconds of a run, about. */
  async calibrate() {
    await this.seconds();
    let spent = await this.seconds();
    if (spent < kSubmitted) {
      this.repeats = kMostRepeats;
      this.player = await this.gpu.player(repeated(this.program, this.repeats), {shared: this.first.inputs});
      // Warm: the settled dispatches run once for each player.
      await this.seconds();
      spent = await this.seconds();
    }
    while (spent < this.slice) {
      this.submits = Math.ceil(this.submits * Math.min(10, Math.max(1.3, (1.2 * this.slice) / spent)));
      spent = await this.seconds();
    }
    return spent / this.submits / this.repeats;
  }
  /** Seconds of a run. */
  async sample() {
    return (await this.seconds()) / this.submits / this.repeats;
  }
  dispose() {
    if (this.player !== this.first) this.player?.dispose();
    this.first?.dispose();
  }
}

/** The same numbers as drawInputs() of problems.h. */
function draw({bytes, low, high}, input) {
  const values = new Float32Array(bytes / 4);
  const offset = Math.imul(input, 0x9e3779b9);
  for (let i = 0; i < values.length; ++i) {
    let h = (i + offset) | 0;
    h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
    h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
    h ^= h >>> 16;
    values[i] = low + (high - low) * (h >>> 8) * 2 ** -24;
  }
  return values;
}

/** Why an output is wrong, or ''. Values differ by the order of sums and a GPU's functions, sums of values by less than 1e-5. */
function wrong(bytes, {largest, parts}) {
  const got = new Float32Array(bytes);
  for (const [i, {sum, size, at, value}] of parts.entries()) {
    if (!(Math.abs(got[at] - value) <= 1e-4 * largest)) return `element ${at} of ${got.length} is ${got[at]}, on the CPU ${value}`;
    const [begin, end] = [i, i + 1].map((k) => Math.floor((got.length * k) / parts.length));
    const total = got.subarray(begin, end).reduce((a, b) => a + b, 0);
    if (!(Math.abs(total - sum) <= 1e-5 * size + 1e-6 * largest)) return `elements ${begin} to ${end} have the sum ${total}, on the CPU ${sum}`;
  }
  return '';
}

// Groups of threads of the bare multiply-adds: at most, many times as many threads as the largest GPUs hold at once. Loops of a
// thread at least: 8192 multiply-adds, beside which its start is nothing.
const kMostGroups = 32768;
const kLeastLoops = 64;

/** Bare multiply-adds, so many that a run takes `slice` seconds: {sampler, work, rate}. */
async function openFormula(gpu, slice, formula) {
  for (let groups = 16, loops = kLeastLoops; ; ) {
    const limit = multiplyAdds(formula, groups);
    const sampler = await new Sampler(gpu, limit.program, slice).open();
    const spent = async (loops) => {
      sampler.player.write(0, limit.numbers(loops));
      await sampler.seconds();
      return Math.min(await sampler.seconds(), await sampler.seconds(), await sampler.seconds());
    };
    while (groups === kMostGroups && (await spent(loops)) < slice) loops *= 2;
    if ((await spent(loops)) < slice) {
      sampler.dispose();
      groups *= 2;
      continue;
    }
    await checkMultiplyAdds(sampler, limit, spent, loops);
    const seconds = await spent(loops);
    return {sampler, work: limit.operations(loops), rate: limit.operations(loops) / seconds};
  }
}

/** Throws where the compiler has not left them as they are. */
async function checkMultiplyAdds(sampler, limit, spent, loops) {
  await spent(3);
  const sums = new Float32Array((await sampler.player.readOutputs())[0]);
  for (const thread of [0, 1000, sums.length - 1]) {
    const want = limit.result(thread, 3);
    if (!(Math.abs(sums[thread] - want) < 1e-4 * want)) throw new Error(`The bare multiply-adds of thread ${thread} give ${sums[thread]} instead of ${want}`);
  }
  // Whatever else the machine does can hide it once.
  let growth = 0;
  for (let tries = 0; tries < 5 && growth < 1.5; ++tries) growth = (await spent(2 * loops)) / (await spent(loops));
  if (growth < 1.5) throw new Error(`Twice as many multiply-adds take ${growth.toFixed(2)} times as long: the compiler leaves some out`);
}

/** The faster of two ways to write a multiply-add. */
async function openMultiplyAdds(gpu, slice) {
  const made = [];
  for (const formula of ['a * x + y', 'fma(a, x, y)']) made.push(await openFormula(gpu, slice, formula));
  const [best, other] = made.toSorted((a, b) => b.rate - a.rate);
  other.sampler.dispose();
  return best;
}

/** Runs `work` and gives its result; throws what the device says against it. */
async function validated({device}, work) {
  device.pushErrorScope('out-of-memory');
  device.pushErrorScope('validation');
  const scopes = async () => [await device.popErrorScope(), await device.popErrorScope()].find(Boolean);
  let result;
  try {
    result = await work();
  } catch (error) {
    await scopes();
    throw error;
  }
  const error = await scopes();
  if (error) throw new Error(error.message);
  return result;
}

export async function openBench(gpu, {rounds, slice, budget}) {
  const seconds = slice / 1e3;
  const products = await openMultiplyAdds(gpu, seconds);
  const allowed = (run) => run * (rounds + 3) <= budget;

  /** What the rate of a problem is compared with: {sampler, work}. */
  async function limitOf({operations, bytes, reads}) {
    if (operations) return products;
    const made = reads ? readOf(bytes) : copyOf(bytes);
    const sampler = await new Sampler(gpu, made.program, seconds).open();
    await sampler.calibrate();
    return {sampler, work: made.bytes};
  }

  async function timed(problem, limit) {
    const work = problem.operations || problem.bytes;
    const least = (work / limit.work) * (await limit.sampler.sample());
    const over = (run, why) => ({over: `${why} ${run.toPrecision(2)} s, so ${rounds} rounds pass the budget of ${budget} s`});
    if (!allowed(least)) return over(least, 'at the limit a run would take');
    const sampler = new Sampler(gpu, problem.program, seconds);
    try {
      const start = performance.now();
      await validated(gpu, async () => {
        await sampler.open((player) => problem.inputs.forEach((input, i) => player.write(i, draw(input, i))));
        await sampler.seconds();
      });
      const first = (performance.now() - start) / 1e3;
      const outputs = await sampler.player.readOutputs();
      const why = outputs.map((bytes, i) => wrong(bytes, problem.outputs[i])).find(Boolean);
      if (why) return {wrong: why};
      const run = await sampler.seconds();
      if (!allowed(run)) return over(run, 'a run takes');
      await sampler.calibrate();
      const [times, limits] = [[], []];
      for (let round = 0; round < rounds; ++round) {
        limits.push(limit.work / (await limit.sampler.sample()));
        times.push(await sampler.sample());
      }
      const time = median(times);
      return {ms: 1e3 * time, first, rate: work / time / 1e9, limit: median(limits) / 1e9, unit: problem.operations ? 'GFLOP/s' : 'GB/s'};
    } finally {
      sampler.dispose();
    }
  }

  return {
    /** The limit of products, in 1e9 operations a second. */
    multiplyAdd: products.work / (await products.sampler.sample()) / 1e9,
    async measure(problem) {
      const limit = await limitOf(problem);
      try {
        return await timed(problem, limit);
      } finally {
        if (limit !== products) limit.sampler.dispose();
      }
    },
  };
}
