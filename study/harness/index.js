// The index: every trial as a link, and a walk through all of them.
import {get} from './api.js';
import {refusal} from './unsupported.js';
import {forget, next, progress} from './walk.js';
import {counted} from './words.js';

const element = (name, properties, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};
const $ = (id) => document.getElementById(id);
// As they follow from each other; other tasks come after these.
const kOrder = ['probe', 'save', 'train', 'infer'];
const place = ({name}) => (kOrder.includes(name) ? kOrder.indexOf(name) : kOrder.length);

/** A trial as a link whose network follows the choice; or, struck out, what cannot be. */
function trialLink(subject, backend, task) {
  const reason = refusal(subject, backend, task.name);
  if (reason) return element('span', {className: 'trial', title: reason, ariaDisabled: 'true'}, task.title);
  const link = element('a', {className: 'trial'}, task.title);
  link.dataset.query = new URLSearchParams({subject: subject.name, backend: backend.name, task: task.name});
  if (task.sized) link.dataset.sized = '';
  return link;
}

function card(subject, tasks) {
  const backends = subject.backends.map((backend, i) => {
    const own = tasks.filter(({perBackend}) => perBackend || i === 0);
    const links = own.map((task) => trialLink(subject, backend, task));
    return element('div', {}, element('h3', {}, backend.title), element('div', {className: 'trials'}, ...links));
  });
  const note = subject.note ? [element('p', {className: 'note'}, subject.note)] : [];
  return element('section', {className: 'subject'}, element('h2', {}, subject.title), ...note, ...backends);
}

function choose(workload) {
  for (const link of document.querySelectorAll('a.trial')) {
    link.href = `/harness/run.html?${link.dataset.query}${'sized' in link.dataset ? `&workload=${workload}` : ''}`;
  }
}

/** The networks of a family to choose from. */
function chipsOf({name, title, depthIs, widthIs, sizes}) {
  const chips = sizes.map((size) => {
    const value = `${name}/${size}`;
    const input = element('input', {type: 'radio', name: 'workload', value, onchange: () => choose(value)});
    return element('label', {}, input, element('span', {}, size.replace('x', ' × ')));
  });
  return [element('p', {}, `${title}: ${depthIs} × ${widthIs}`), ...chips];
}

function showWorkloads(families) {
  // The paper's first networks are what most ask for.
  const inOrder = families.toSorted((a, b) => (b.name === 'dense') - (a.name === 'dense'));
  $('sizes').replaceChildren(...inOrder.flatMap(chipsOf));
  $('sizes').hidden = false;
  const first = $('sizes').querySelector('input');
  first.checked = true;
  choose(first.value);
}

/** What of this browser a measurement depends on. */
function here() {
  const parts = [counted(navigator.hardwareConcurrency, 'core')];
  parts.push(navigator.gpu ? 'WebGPU' : 'no WebGPU');
  if (!crossOriginIsolated) parts.push('not cross-origin isolated: no threads, and a coarse clock');
  return `This browser: ${parts.join(', ')}.`;
}

function showWalk() {
  const {done, ok, problems} = progress();
  const isOver = new URLSearchParams(location.search).has('walked');
  const far = done ? `${done} done, ${ok} of them with numbers.` : 'One after the other, each on a fresh page.';
  $('progress').textContent = isOver ? `All done: ${ok} of ${done} trials have numbers.` : far;
  $('problems').replaceChildren(...problems.map((text) => element('li', {}, text)));
  $('start').textContent = done && !isOver ? 'Go on with the rest' : 'Go through all trials';
  $('start').disabled = false;
  $('start').onclick = () => {
    if (isOver) forget();
    next().catch(fail);
  };
}

function fail(error) {
  $('progress').textContent = error.message;
  $('progress').className = 'message';
}

try {
  $('here').textContent = here();
  const {subjects, tasks, workloads} = await get('/api/subjects');
  const inOrder = tasks.toSorted((a, b) => place(a) - place(b));
  $('subjects').replaceChildren(...subjects.filter(({native}) => !native).map((subject) => card(subject, inOrder)));
  showWorkloads(workloads);
  showWalk();
} catch (error) {
  fail(error);
}
