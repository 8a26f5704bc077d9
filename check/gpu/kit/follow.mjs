// Does a part's items in a process of its own. A driver that ends the process, or does not answer, takes one item along and no more: another
// process goes on with the next.
//
//   const {plan, rows, problem} = await follow(['part.mjs', 'cases'], {until: Date.now() + 60e3, onRow: console.log});
//
// The process gets --from INDEX, the first item to do, and --until MILLISECONDS, after which it begins no other. It sends {plan}: what the
// items are; for each {begin: index}, then {row}; and at last {end: true}, unless another process is to go on.
import {spawn} from 'node:child_process';

// A shader takes seconds to compile at most, an item a few of these; each, and the longest sum, takes less than this on a software adapter.
const kSilence = 60e3;
// What the last item may take beyond the time.
export const kGrace = 20e3;
const kMostEnds = 20;

/** One process, from one item on: {isDone, isOver, why it ended otherwise, the last lines that it said}. `on` gets its messages. */
function once(command, {env, until, silence, on}) {
  const child = spawn(process.execPath, command, {env, stdio: ['ignore', 'pipe', 'pipe', 'ipc']});
  const state = {isDone: false, isOver: false, why: '', said: ''};
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said = (said + text).slice(-4000)));
  let last = Date.now();
  const timer = setInterval(() => {
    if (Date.now() > until + kGrace) state.isOver = true;
    else if (Date.now() - last > silence) state.why = `nothing came within ${silence / 1e3} s`;
    else return;
    child.kill('SIGKILL');
  }, 200);
  child.on('message', (message) => {
    last = Date.now();
    if (message.end) state.isDone = true;
    else on(message);
  });
  return new Promise((resolve) => {
    child.on('error', (error) => (said += error.message));
    child.on('close', (code, signal) => {
      clearInterval(timer);
      // What an error says stands above where it comes from.
      const lines = said.trim().split('\n');
      state.said = [...new Set([lines.find((line) => line.includes('Error: ')) ?? '', ...lines.slice(-4)])].filter(Boolean).join('\n');
      if (!state.isDone && (code || signal)) state.why ||= `the process ended with ${signal ?? `exit code ${code}`}${state.said && `: ${state.said}`}`;
      resolve(state);
    });
  });
}

/**
 * {plan, rows, problem, said}: a row for each item as far as the time reached, with `problem` where the process ended in it; a problem of
 * the whole where no item could be begun, or too many ended their process; the last lines that a process said.
 */
export async function follow(command, {env = process.env, until = Infinity, silence = kSilence, onRow = () => {}} = {}) {
  const result = {plan: [], rows: [], problem: '', said: ''};
  const {rows} = result;
  let isBegun;
  const keep = (row) => {
    isBegun = false;
    rows.push({...result.plan[rows.length], ...row});
    onRow(rows.at(-1), result);
  };
  const on = (message) => {
    if (message.plan) result.plan = message.plan;
    if (message.begin !== undefined) isBegun = true;
    if (message.row) keep(message.row);
  };
  for (let ends = 0; ; ++ends) {
    const before = rows.length;
    isBegun = false;
    const {isDone, isOver, why, said} = await once([...command, '--from', `${before}`, '--until', `${until}`], {env, until, silence, on});
    result.said = said;
    if (isDone || isOver) return result;
    if (isBegun) keep({problem: why});
    if (result.plan.length && rows.length === result.plan.length) return result;
    if (rows.length === before) return {...result, problem: why || 'the process ended before it had begun'};
    if (ends === kMostEnds) return {...result, problem: `${ends} processes have ended: ${why}`};
  }
}
