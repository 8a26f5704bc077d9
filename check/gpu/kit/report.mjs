// The kit's result as a table: result.md.
const percent = (part, whole) => `${((100 * part) / whole).toFixed(0)} %`;
const three = (v) => (v === null || v === undefined || Number.isNaN(v) ? '-' : v.toPrecision(3));
// What is not a number has come as null.
const error = (v) => (!Number.isFinite(v) ? 'not a number' : v === 0 ? '0' : v.toExponential(1));
const cell = (text) => `${text}`.replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' ');
const table = (head, rows) => [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');
const list = (items) => items.map((item) => `- ${cell(item)}`).join('\n');

/** By op: {op, cases, passed, failed, left, error: the largest, tolerance and name of its case}. */
export function byOp({plan, rows}) {
  const ops = new Map();
  for (const {op} of plan) ops.set(op, {op, cases: (ops.get(op)?.cases ?? 0) + 1, passed: 0, failed: 0, left: 0, error: 0});
  for (const {op, name, problem, left, error, tolerance} of rows) {
    const row = ops.get(op);
    ++row[left ? 'left' : problem ? 'failed' : 'passed'];
    if (left || (row.name !== undefined && (error ?? Infinity) <= row.error)) continue;
    Object.assign(row, {error: error ?? Infinity, tolerance, name});
  }
  return [...ops.values()];
}

const outcomes = {
  passed: 'All that was tried gave the right numbers.',
  failed: 'SOMETHING FAILED.',
  incomplete: 'Nothing failed, and not everything was reached.',
  interrupted: 'The run was interrupted.',
};

function header({outcome, adapter, driver, machine, kit, date, seconds, way}) {
  const rows = [
    ['card', driver.card ?? adapter.device ?? adapter.name],
    ['adapter', adapter.name],
    ['driver', [adapter.description, driver.version].filter(Boolean).join('; ')],
    ['found', way],
    ['processor', `${machine.processor}, ${machine.threads} threads, ${machine.memory} GiB`],
    ['system', `${machine.system}, Linux ${machine.kernel}, glibc ${machine.glibc}`],
    ['commit', kit.commit],
    ['by', `Node ${kit.node}, Dawn of npm webgpu ${kit.dawn}`],
    ['date', `${date}, ${seconds.toFixed(0)} s`],
  ];
  const software = adapter.software ? ' The adapter is software: it computes on the processor, and is no GPU.' : '';
  return `# Fjord on ${rows[0][1]}\n\n${outcomes[outcome]}${software}\n\n${table(['', ''], rows)}`;
}

function correctness({cases, training}) {
  const ops = byOp(cases);
  const sum = (key) => ops.reduce((total, row) => total + row[key], 0);
  const open = sum('cases') - cases.rows.length;
  const rows = ops.map(({op, cases, passed, failed, left, error: largest, tolerance, name}) => {
    const counts = [cases, passed, failed, left, cases - passed - failed - left];
    return [op, ...counts, ...(name === undefined ? ['-', '-', '-'] : [error(largest), error(tolerance), name])];
  });
  const trained = training.rows.map(({name, problem, left, error: e}) => [name, left ? `not tried: ${left}` : problem || 'right', e === undefined ? '-' : error(e)]);
  return [
    `## Ops beside their definitions in double precision\n\n${sum('passed')} of ${sum('cases')} cases right, ${sum('failed')} wrong, ${sum('left')} refused, ${open} not reached. An error is the part of 1 + the largest number that was wanted.`,
    table(['op', 'cases', 'right', 'wrong', 'refused', 'not reached', 'largest error', 'allowed', 'in the case'], rows),
    `## Training beside WebAssembly on the processor\n\n${training.left ? `Not tried: ${training.left}` : `${training.rows.length} of ${training.plan.length} reached`}.`,
    ...(trained.length ? [table(['model', '', 'largest error of a loss'], trained)] : []),
  ];
}

/** Rows of a table: what was measured, or in its place why nothing was. */
function timed(rows, nameOf, measured, width) {
  const why = ({refused, over, wrong, left, why}) => {
    const whys = Object.entries({refused, 'over the budget': over, wrong, 'not reached': left});
    return why ?? whys.filter(([, text]) => text).map((pair) => pair.join(': ')).join('; ');
  };
  return rows.map((row) => [nameOf(row), ...(measured(row) ?? [why(row), ...Array(width - 1).fill('')])]);
}

function speed({speed, adapter}) {
  if (speed.left) return [`## Speed\n\nNot measured: ${speed.left}.`];
  const {ops = [], train = [], infer = []} = speed;
  const opOf = ({ms, rate, unit, limit}) => (ms ? [three(ms), `${three(rate)} ${unit}`, three(limit), percent(rate, limit)] : undefined);
  const stepsOf = ({first, step, fit, rate}) => (step ? [first, step, fit, rate].map(three) : undefined);
  const runsOf = ({first, all, each}) => (all ? [first, all, each].map(three) : undefined);
  const nameOf = ({name}) => name;
  return [
    `## Speed${adapter.software ? ' OF SOFTWARE: it says nothing about a GPU' : ''}`,
    table(['op', 'ms', 'rate', "the adapter's limit", 'share'], timed(ops, ({group, case: name}) => `${group}: ${name}`, opOf, 4)),
    `Training, 64 samples a step: layers x width, milliseconds.`,
    table(['network', 'first step', 'a step whose loss is read', 'a step of fit', 'GFLOP/s of fit'], timed(train, nameOf, stepsOf, 4)),
    ...(infer.length ? [table(['network', 'first run', 'all images', 'one of them'], timed(infer, nameOf, runsOf, 3))] : []),
  ];
}

export function markdown(result) {
  const wrong = result.failures.length ? [`## Failed\n\n${list(result.failures)}`] : [];
  const left = result.notReached.length ? [`## Not reached\n\n${list(result.notReached)}`] : [];
  const limits = Object.entries(result.adapter.limits).map(([name, value]) => [name, value]);
  return `${[header(result), ...wrong, ...left, ...correctness(result), ...speed(result), '## Limits of the adapter', table(['limit', ''], limits)].join('\n\n')}\n`;
}
