// What the page of a trial shows: what runs, what it does just now, and the numbers at its end.
import {progress} from './walk.js';
import {readable} from './words.js';

const kPhases = {
  download: 'Downloading the library',
  parse: 'Evaluating its scripts',
  start: 'Starting its backend',
  build: 'Building the network',
  load: 'Loading the network',
  first: 'The first step',
  steady: 'Measuring, again and again',
  heap: 'Reading how much memory is used',
  file: 'Writing the network into files',
};
const kNames = {
  download: 'Download', parse: 'Scripts', start: 'Start', build: 'Build', load: 'Load', first: 'First', steady: 'Steady', heap: 'Heap',
  file: 'Files', frame: 'Between frames', longtask: 'Long tasks',
};
const kOutcomes = {ok: 'Done', wrong: 'Wrong answers: no time is told', unsupported: 'Not possible here', error: 'It failed'};
const kChecks = {output: 'Outputs differ from the reference by', loss: 'Losses differ from the reference by', falling: 'The last loss is the first times'};

const element = (name, properties, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

function middle(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** A row a phase: how many samples, and how they lie. */
function table(samples) {
  const rows = Map.groupBy(samples, ({phase}) => phase);
  const head = ['', 'median', 'least', 'most', 'n'].map((text) => element('th', {scope: 'col'}, text));
  const body = [...rows].map(([phase, list]) => {
    const values = list.map(({value}) => value);
    const numbers = (list.length > 1 ? [middle(values), Math.min(...values), Math.max(...values)] : values).map((value) => readable(value, list[0].unit));
    const cells = [numbers[0], numbers[1] ?? '', numbers[2] ?? '', String(list.length)];
    return element('tr', {}, element('th', {scope: 'row'}, kNames[phase] ?? phase), ...cells.map((text) => element('td', {}, text)));
  });
  return element('table', {}, element('thead', {}, element('tr', {}, ...head)), element('tbody', {}, ...body));
}

const factRows = (facts) =>
  element('dl', {}, ...Object.entries(facts).flatMap(([name, value]) => [
    element('dt', {}, Array.isArray(value) ? `${name} (${value.length})` : name),
    element('dd', {}, Array.isArray(value) ? value.join(', ') || 'none' : value === true ? 'yes' : value === false ? 'no' : String(value)),
  ]));

export class View {
  #main = document.querySelector('main');
  #state = document.querySelector('#state');

  /** Says what runs. */
  open({backend, workload, task: name, subject: folder}, subject, task) {
    document.querySelector('h1').textContent = subject.title;
    const network = task.sized ? [workload.replace('/', ' ').replace('x', ' × ')] : [];
    document.querySelector('#what').textContent = [task.title, subject.backends[backend]?.title ?? backend, ...network].join(' · ');
    if (subject.note) document.querySelector('#note').textContent = subject.note;
    const again = document.querySelector('#again');
    again.href = `run.html?${new URLSearchParams({subject: folder, backend, task: name, workload})}`;
    again.hidden = false;
    const {done, left} = progress();
    if (done || left) document.querySelector('#walk').textContent = `${done} done${left === null ? '' : `, ${left} to come after this`}`;
  }
  phase(phase) {
    this.#state.textContent = `${kPhases[phase] ?? phase} …`;
    document.title = phase;
  }
  result({outcome, message, version, engine, check, samples, facts}) {
    this.#say(outcome, kOutcomes[outcome]);
    const line = (text, kind = '') => text && this.#main.append(element('p', {className: kind}, text));
    line(message, 'message');
    line([version && `Version ${version}`, engine].filter(Boolean).join(', '));
    if (check.kind) line(`${kChecks[check.kind]} ${check.difference.toPrecision(2)}; the limit is ${check.tolerance}.`);
    if (samples.length) this.#main.append(element('div', {className: 'scroll'}, table(samples)));
    if (facts) this.#main.append(factRows(facts));
  }
  /** There is no trial, or no server. */
  failure(error) {
    this.#say('error', 'This trial could not be reported');
    this.#main.append(element('p', {className: 'message'}, error.message));
  }
  #say(outcome, text) {
    document.body.dataset.outcome = outcome;
    this.#state.textContent = text;
  }
}
