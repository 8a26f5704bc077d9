// Going through all the trials that the server has, page by page: each ends by opening the next. How far it has come is kept
// for as long as the tab is open.
import {get} from './api.js';

const kKey = 'walk';

/** What has been done: {done, ok, left, problems: [text]}. */
export const progress = () => JSON.parse(sessionStorage.getItem(kKey)) ?? {done: 0, ok: 0, left: null, problems: []};
const keep = (walk) => sessionStorage.setItem(kKey, JSON.stringify(walk));

export const forget = () => sessionStorage.removeItem(kKey);

/** Counts a trial that has ended. */
export function note({subject, backend, task, workload}, {outcome, message}) {
  const walk = progress();
  ++walk.done;
  if (outcome === 'ok') ++walk.ok;
  else walk.problems.push([`${[subject, backend, task, workload].filter(Boolean).join(' ')}: ${outcome}`, message].filter(Boolean).join(', '));
  keep(walk);
}

/** Opens the next trial, or the index where there is none left. */
export async function next() {
  const trial = await get('/api/next');
  keep({...progress(), left: trial?.left ?? null});
  location.replace(trial ? `/harness/run.html?trial=${trial.id}&walk` : '/harness/index.html?walked');
}
