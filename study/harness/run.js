// The page of a trial: run.html?trial=ID, or run.html?subject=..&backend=..&task=..&workload=.. for a new one. It runs the task and
// reports; whatever goes wrong, it reports that. With &walk it then goes on to the next trial that the server has.
import {get, send} from './api.js';
import {Page} from './page.js';
import {refusal, Unsupported} from './unsupported.js';
import {View} from './view.js';
import {next, note} from './walk.js';

const query = new URLSearchParams(location.search);
const isWalk = query.has('walk');
const view = new View();

// What is thrown where nobody waits for it ends the trial as well.
const strayed = new Promise((_, reject) => {
  addEventListener('error', (event) => reject(event.error ?? new Error(event.message || 'a script failed')));
  addEventListener('unhandledrejection', (event) => reject(event.reason));
});
strayed.catch(() => {});

async function findTrial() {
  if (query.has('trial')) return get(`/api/trials/${query.get('trial')}`);
  const cell = Object.fromEntries(['subject', 'backend', 'task', 'workload'].map((name) => [name, query.get(name) ?? '']));
  const trial = await send('POST', '/api/trials', cell);
  history.replaceState(null, '', `run.html?trial=${trial.id}`);
  return trial;
}

async function perform(trial, result) {
  const [subject, task, {adapter}, {run}] = await Promise.all([
    get(`/subjects/${trial.subject}/subject.json`),
    get(`/tasks/${trial.task}/task.json`),
    import(`/subjects/${trial.subject}/adapter.js`),
    import(`/tasks/${trial.task}/task.js`),
  ]);
  view.open(trial, subject, task);
  const reason = refusal(subject, subject.backends[trial.backend], trial.task, trial.network?.layers);
  if (reason) throw new Unsupported(reason);
  const page = new Page({trial, subject, makeAdapter: adapter, tell: (phase) => view.phase(phase)});
  Object.assign(result, {about: page.about});
  const {check, samples, facts = null} = await run(page);
  return {check, samples, facts};
}

/** A falling loss has to fall; all else has to be near. */
const isRight = ({kind, difference, tolerance}) => (kind === 'falling' ? difference < tolerance : difference <= tolerance);
const kNothingToCompare = {kind: '', difference: 0, tolerance: 0};

/** Runs the trial: its result as the server takes it. */
async function resultOf(trial) {
  const state = {};
  // What is cut in the middle of a character is no text for the server.
  const short = (text, most) => String(text ?? '').slice(0, most).toWellFormed();
  const finish = (outcome, message, rest) => ({
    outcome,
    message: short(message, 2000),
    version: short(state.about?.version, 200),
    engine: short(state.about?.engine, 200),
    check: kNothingToCompare,
    samples: [],
    facts: null,
    ...rest,
  });
  try {
    const {check, samples, facts} = await Promise.race([perform(trial, state), strayed]);
    if (!check) return finish('ok', '', {samples, facts});
    const {message, ...numbers} = check;
    return isRight(check) ? finish('ok', '', {check: numbers, samples, facts}) : finish('wrong', message, {check: numbers});
  } catch (error) {
    // A script element rejects with the event that it got.
    const reason = error instanceof Event ? `${error.target?.src ?? 'a file'} could not be loaded` : error?.message ?? error;
    return finish(error instanceof Unsupported ? 'unsupported' : 'error', reason);
  }
}

async function main() {
  try {
    const trial = await findTrial();
    // A page may be profiled only if it was asked for so.
    if (trial.profile && !query.has('profile')) {
      location.replace(`run.html?trial=${trial.id}&profile${isWalk ? '&walk' : ''}`);
      return;
    }
    const result = await resultOf(trial);
    view.result(result);
    await send('POST', `/api/trials/${trial.id}/result`, result);
    document.title = result.outcome === 'ok' ? 'done' : `failed: ${result.outcome}: ${result.message}`;
    if (!isWalk) return;
    note(trial, result);
    await next();
  } catch (error) {
    // Without a server there is no next trial either.
    view.failure(error);
    document.title = `failed: ${error.message}`;
  }
}

main();
