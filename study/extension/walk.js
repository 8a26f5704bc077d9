// The walk through a server's trials: a state that outlives the worker, and the steps between its states. One trial at a time
// is open, in a tab of the walk's own; its page reports by itself, and says in its title how far it is.
//
//   idle -> asking -> running -> finished | stopped | failed          start() goes on from the last two
import {startMeters} from './meter.js';
import {knows, next, originsOf, pageOf, post, serverOf} from './server.js';

const kKey = 'walk';
const kAlarm = 'limit';
const kMostProblems = 100;

const idle = () => ({
  state: 'idle',
  server: {address: '', token: ''},
  limit: 60, // seconds a trial
  tab: null,
  trial: null, // {id, name, profile}
  phase: '',
  deadline: 0,
  done: 0,
  ok: 0,
  left: null, // after this trial, where the server tells
  hidden: 0, // trials measured while their tab was not in front
  takesUsage: true, // the server has a place for resource use
  lateUsage: 0, // trials whose result was there before it
  message: '',
  problems: [],
});

export const read = async () => ({...idle(), ...(await chrome.storage.session.get(kKey))[kKey]});

async function keep(walk) {
  await chrome.storage.session.set({[kKey]: walk});
  await chrome.action.setBadgeText({text: walk.state === 'running' ? String(walk.done) : ''});
}

let last = Promise.resolve();

/** A step takes the walk and changes it. One comes after the other, and what it changed is kept. */
function turn(step) {
  last = last.catch(() => {}).then(async () => {
    const walk = await read();
    try {
      await step(walk);
    } catch (error) {
      await end(walk, 'failed', error.message);
    }
    await keep(walk);
  });
  return last;
}

async function end(walk, state, message) {
  Object.assign(walk, {state, message, phase: ''});
  takeMeters();
  await chrome.alarms.clear(kAlarm);
}

// ---- what the person does

/** `settings`: {server, limit}. A walk that was stopped goes on, with the trial that it was at. */
export const start = (settings) =>
  turn(async (walk) => {
    if (walk.state === 'running') return;
    const goesOn = ['stopped', 'failed', 'asking'].includes(walk.state) && walk.server.address === settings.server.address;
    if (!goesOn) Object.assign(walk, idle());
    Object.assign(walk, settings, {state: 'asking', message: '', takesUsage: true, tab: null});
    await setOff(walk);
  });

/** The person has allowed something: perhaps the server that a walk waits for. The popup may be closed by then. */
export const permitted = () => turn(setOff);

async function setOff(walk) {
  if (walk.state !== 'asking' || !(await chrome.permissions.contains({origins: originsOf(walk.server)}))) return;
  walk.state = 'running';
  if (walk.trial && !(await knows(walk.server, walk.trial.id))) walk.trial = null;
  await proceed(walk);
}

export const stop = (message) =>
  turn(async (walk) => {
    if (walk.state === 'running') await show(walk, '/');
    if (walk.state === 'running' || walk.state === 'asking') await end(walk, 'stopped', message);
  });

export const closed = (tab) =>
  turn(async (walk) => {
    if (walk.state === 'running' && tab === walk.tab) await end(walk, 'stopped', 'Its tab was closed.');
  });

// ---- from trial to trial

/** Opens the next trial, or the one that is still to be done. */
async function proceed(walk) {
  walk.deadline = Date.now() + walk.limit * 1000;
  await chrome.alarms.create(kAlarm, {when: walk.deadline});
  walk.phase = '';
  walk.trial ??= await take(walk);
  if (!walk.trial) await end(walk, 'finished', '');
  await keep(walk);
  if (!walk.trial) return show(walk, '/');
  // Pages are served so that they may be profiled only where they ask for it: it makes them slower.
  await show(walk, '/harness/run.html', {trial: walk.trial.id, ...(walk.trial.profile && {profile: ''})});
}

async function show(walk, path, query) {
  const url = pageOf(walk.server, path, query);
  if (walk.tab === null) walk.tab = (await chrome.tabs.create({url, active: true})).id;
  // Of a tab that is gone closed() hears next.
  else await chrome.tabs.update(walk.tab, {url}).catch(() => {});
}

async function take(walk) {
  const trial = await next(walk.server);
  walk.left = trial ? (trial.left ?? null) : 0;
  const name = trial && [`${trial.subject}/${trial.backend}`, trial.task, trial.workload].filter(Boolean).join(' ');
  return trial && {id: trial.id, name, profile: Boolean(trial.profile)};
}

function count(walk, outcome, message) {
  ++walk.done;
  if (outcome === 'ok') ++walk.ok;
  else if (walk.problems.length < kMostProblems) walk.problems.push(`${walk.trial.name}: ${[outcome, message].filter(Boolean).join(', ')}`);
  walk.trial = null;
}

/** How a trial has ended, by the title of its page (harness/run.js); undefined before. */
export function endOf(title) {
  if (title === 'done') return ['ok', ''];
  const [, outcome, message] = title.match(/^failed: (?:(wrong|unsupported|error): )?(.*)$/s) ?? [];
  return message === undefined ? undefined : [outcome ?? 'not reported', message];
}

/** The title of a tab: a phase that begins, or the end of a trial. */
export const hear = ({tab, title, url, active}) =>
  turn(async (walk) => {
    const isOurs = walk.state === 'running' && tab === walk.tab && walk.trial;
    // The page before tells its title late at times.
    if (!isOurs || new URL(url).searchParams.get('trial') !== String(walk.trial.id)) return;
    const ended = endOf(title);
    if (ended) {
      await sendUsage(walk);
      count(walk, ...ended);
      await proceed(walk);
    } else if (/^[a-z]+$/.test(title)) {
      walk.phase = title;
      if (title !== 'steady') return sendUsage(walk);
      if (!active) ++walk.hidden;
      if (walk.takesUsage) takeMeters(startMeters());
    }
  });

/** The time limit. The page may be unable to leave by itself, so the next trial has a new tab. */
export const late = () =>
  turn(async (walk) => {
    // The alarm of the trial before, which ended in its last moment.
    if (walk.state !== 'running' || Date.now() < walk.deadline - 500) return;
    takeMeters();
    if (walk.trial) {
      const message = `timeout: no result within ${walk.limit} s${walk.phase && `, in the phase ${walk.phase}`}`;
      await post(walk.server, walk.trial.id, 'result', {outcome: 'error', message});
      count(walk, 'error', message);
    }
    const {tab} = walk;
    walk.tab = null;
    await proceed(walk);
    await keep(walk);
    if (tab !== null) await chrome.tabs.remove(tab).catch(() => {});
  });

// ---- resource use

// A worker that looks at them five times a second is not put to sleep meanwhile.
let meters = [];

/** Stops the meters, which others replace: what they have seen. */
function takeMeters(others = []) {
  const told = meters.map((meter) => meter.stop());
  meters = others;
  return told;
}

/** As soon as the steady phase is over: before the page reports, which is after it has read its heap. */
async function sendUsage(walk) {
  for (const used of takeMeters()) {
    if (!used.samples.length) continue;
    const status = await post(walk.server, walk.trial.id, 'usage', used);
    if (status === 404 || status === 405) walk.takesUsage = false;
    if (status === 409) ++walk.lateUsage;
  }
}
