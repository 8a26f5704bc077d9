"""The tasks of docs/study.md for a framework with a Python package: the counterpart of harness/ and tasks/.

    import native
    native.run(Framework)       # reads the trial from standard input, writes the result to standard output

Framework(backend) imports the package and has what a page's adapter has; every call returns when its result is readable:

    info()                      starts the backend: {'version': '2.21.0', 'engine': 'XLA, 2 cores'}
    facts()                     {'training': True, .., 'layers': ['Dense', ..], ..}
    build(network)              a model to train; network as docs/study.md has it, weights: [(kernel [in,out], bias [out]), ..]
    train(model, x, one_hot)    [64,784], [64,10] -> the mean loss before the update
    save(network, folder)       writes the files in which the framework keeps it
    load(folder, network)       a model to infer with
    infer(model, x)             [784] -> [10]
"""
import json
import os
import sys
import time

BATCHES, COMPARED, DIGITS = 10, 3, 10
# Of losses relative, of outputs absolute: as in the tasks of pages.
TOLERANCE = 1e-3
# Milliseconds of a slice, at least.
SLICE = 5


class Wrong(Exception):
    """Answers that are not the reference's."""


def now():
    return time.perf_counter() * 1e3


class Trial:
    """The trial, its clock and its data."""

    def __init__(self, told, say):
        self.trial, self.network, self.folder, self.say = told['trial'], told['network'], told['data'], say
        self.samples, self.about, self.facts = [], {}, None
        self.check = {'kind': '', 'difference': 0, 'tolerance': 0}

    @property
    def files(self):
        return os.path.join(self.folder, 'files')

    def sample(self, phase, value, unit='ms'):
        self.samples.append({'phase': phase, 'unit': unit, 'value': value})

    def timed(self, phase, call):
        start = now()
        value = call()
        self.sample(phase, now() - start)
        return value

    def open(self, framework):
        opened = self.timed('parse', lambda: framework(self.trial['backend']))
        self.about = self.timed('start', opened.info)
        return opened

    def read(self, name):
        with open(os.path.join(self.folder, name), 'rb') as file:
            return file.read()

    def network_with_weights(self):
        import numpy as np
        values, at = np.frombuffer(self.read('weights.bin'), '<f4'), 0
        layers = []
        for inputs, outputs in zip(self.network['sizes'], self.network['sizes'][1:]):
            kernel = values[at:at + inputs * outputs].reshape(inputs, outputs)
            at += inputs * outputs
            bias = np.zeros(outputs, np.float32)
            if self.network['bias']:
                bias, at = values[at:at + outputs], at + outputs
            layers.append((kernel, bias))
        return {**self.network, 'weights': layers}

    def digits(self):
        """Images [n,784] in [0, 1], and labels [n]."""
        import numpy as np
        data = np.frombuffer(self.read('digits.bin'), np.uint8)
        count = len(data) // 785
        return data[:count * 784].reshape(count, 784).astype(np.float32) / 255, data[count * 784:]

    def compare(self, kind, what, found, expected, relative):
        """Only right answers are timed."""
        import numpy as np
        found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
        differences = np.abs(found - expected) / (np.abs(expected) if relative else 1)
        # What is not a number is as wrong as can be, and JSON has no word for it.
        differences = np.where(np.isfinite(differences), differences, sys.float_info.max)
        self.check = {'kind': kind, 'difference': float(differences.max()), 'tolerance': TOLERANCE}
        if differences.max() > TOLERANCE:
            worst = np.unravel_index(differences.argmax(), differences.shape)[0]
            raise Wrong(f'{what} {worst} gives {found[worst].tolist()}; the reference gives {expected[worst].tolist()}')

    def steady(self, call, last):
        """As harness/measure.js does it; `last` is what the last call took, in ms. One beyond the budget is not repeated."""
        budget, most = self.trial['budget'], self.trial['samples']
        self.say({'phase': 'steady'})
        if last > budget:
            return self.sample('steady', last)
        begin, slice = now(), max(SLICE, budget / 2 / most)
        calls, taken = 1, 0
        while taken == 0 or now() - begin < budget:
            start = now()
            for _ in range(calls):
                call()
            ms = now() - start
            if ms < slice:
                calls *= 2
            elif start - begin >= budget / 2:
                self.sample('steady', ms / calls)
                taken += 1


def train(trial, framework):
    opened = trial.open(framework)
    network = trial.network_with_weights()
    batches = batches_of(trial, network['batch'])
    expected = json.loads(trial.read('losses.json'))
    model = trial.timed('build', lambda: opened.build(network))
    losses = [trial.timed('first', lambda: opened.train(model, *batches[0]))]
    for batch in batches[1:COMPARED]:
        start = now()
        losses.append(opened.train(model, *batch))
        last = now() - start
    trial.compare('loss', 'step', losses, expected[:COMPARED], relative=True)
    if last <= trial.trial['budget']:
        model = opened.build(network)
        # Untimed: what compiles for each new network does so here.
        opened.train(model, *batches[0])
    trial.steady(round_robin(lambda batch: opened.train(model, *batch), batches), last)


def batches_of(trial, size):
    import numpy as np
    images, labels = trial.digits()
    one_hot = np.eye(10, dtype=np.float32)[labels]
    return [(images[at:at + size], one_hot[at:at + size]) for at in range(0, BATCHES * size, size)]


def infer(trial, framework):
    opened = trial.open(framework)
    images = list(trial.digits()[0][:DIGITS])
    if not os.listdir(trial.files):
        raise FileNotFoundError('there are no files of the network: they come from the task "save"')
    model = trial.timed('load', lambda: opened.load(trial.files, trial.network))
    outputs = [trial.timed('first', lambda: opened.infer(model, images[0]))]
    for image in images[1:]:
        start = now()
        outputs.append(opened.infer(model, image))
        last = now() - start
    expected = json.loads(trial.read('outputs.json'))[:DIGITS]
    trial.compare('output', 'digit', outputs, expected, relative=False)
    trial.steady(round_robin(lambda image: opened.infer(model, image), images), last)


def round_robin(call, arguments):
    """A call without arguments that takes the next of these each time."""
    state = [0]

    def turn():
        state[0] += 1
        return call(arguments[state[0] % len(arguments)])

    return turn


def save(trial, framework):
    opened = trial.open(framework)
    opened.save(trial.network_with_weights(), trial.files)
    trial.samples = []
    sizes = [os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(trial.files) for name in names]
    trial.sample('file', sum(sizes), 'bytes')


def probe(trial, framework):
    trial.facts = trial.open(framework).facts()


def empty(trial, framework):
    trial.steady(lambda: None, 0)


TASKS = {task.__name__: task for task in (probe, empty, save, train, infer)}


def result_of(trial, framework):
    outcome, message = 'ok', ''
    try:
        name = trial.trial['task']
        if name not in TASKS:
            raise ValueError(f'there is no task "{name}"; there are {", ".join(TASKS)}')
        TASKS[name](trial, framework)
    except Wrong as wrong:
        outcome, message = 'wrong', str(wrong)
    except Exception as error:
        outcome, message = 'error', f'{type(error).__name__}: {error}'
    good = outcome == 'ok'
    return {'outcome': outcome, 'message': message[:2000], 'version': trial.about.get('version', ''),
            'engine': trial.about.get('engine', '')[:200], 'check': trial.check,
            'samples': trial.samples if good else [], 'facts': trial.facts if good else None}


def cores():
    count = len(os.sched_getaffinity(0))
    return f'{count} core{"" if count == 1 else "s"}'


def run(framework):
    # What libraries print must not get between the lines.
    answers = os.fdopen(os.dup(1), 'w', buffering=1)
    os.dup2(2, 1)
    say = lambda line: answers.write(json.dumps(line) + '\n')
    say(result_of(Trial(json.load(sys.stdin), say), framework))
