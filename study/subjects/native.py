"""The tasks of docs/study.md for a framework with a Python package: the counterpart of harness/ and tasks/.

    import native
    native.run(Framework)       # reads the trial from standard input, writes the result to standard output
    python trial.py talk        # takes its turns beside pages instead: ./dev bench train --native

Framework(backend) imports the package and has what a page's adapter has; every call returns when its result is readable:

    info()                      starts the backend: {'version': '2.21.0', 'engine': 'XLA, 2 cores'}
    facts()                     {'training': True, .., 'layers': ['Dense', ..], ..}
    build(network)              a model to train; network as docs/study.md has it, weights of layers: (kernel, bias [out]), of an LSTM
                                (kernel, recurrent, bias)
    batch(x, one_hot)           [64,..input], [64,10] as train() takes them
    train(model, batch)         -> the mean loss before the update
    save(network, folder)       writes the files in which the framework keeps it
    load(folder, network)       a model to infer with
    infer(model, x)             [..input] -> [10]
"""
import json
import os
import sys
import time

BATCHES = 10
# Of losses relative, of outputs to the largest of the example: as in the tasks of pages.
TOLERANCE = 1e-3
# Steps on one batch within which its loss has fallen.
FALLS = 20
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

        def take(*shape):
            nonlocal at
            at += int(np.prod(shape))
            return values[at - int(np.prod(shape)):at].reshape(shape)

        layers = [dict(layer) for layer in self.network['layers']]
        for layer in layers:
            if 'kernel' not in layer:
                continue
            units = layer['kernel'][-1]
            kernels = [take(*layer[name]) for name in ('kernel', 'recurrent') if name in layer]
            layer['weights'] = *kernels, take(units) if self.network['bias'] else np.zeros(units, np.float32)
        return {**self.network, 'layers': layers}

    def examples(self):
        """Images [n,..input] in [0, 1] or characters [n,steps,84], of which one a step is 1, and labels [n]."""
        import numpy as np
        data, shape = np.frombuffer(self.read(self.network['data'] + '.bin'), np.uint8), self.network['input']
        if self.network['data'] == 'digits':
            count = len(data) // (int(np.prod(shape)) + 1)
            return data[:-count].reshape(count, *shape).astype(np.float32) / 255, data[-count:]
        count = len(data) // (shape[0] + 1)
        return np.eye(shape[1], dtype=np.float32)[data[:-count].reshape(count, -1)], data[-count:]

    def compare(self, kind, what, found, expected):
        """Only right answers are timed."""
        import numpy as np
        found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
        # A row is an example's outputs; losses are numbers.
        scale = np.abs(expected) if expected.ndim == 1 else np.abs(expected).max(axis=1, keepdims=True)
        differences = np.abs(found - expected) / scale
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
    compared = network['compared']
    same = compared['batch'] == network['batch'] and network['optimizer'] == 'sgd' and compared['rate'] == network['rate']
    batches = batches_of(trial, opened, network['batch'], BATCHES)
    asked = batches[:compared['steps']] if same else batches_of(trial, opened, compared['batch'], compared['steps'])
    expected = json.loads(trial.read('losses.json'))
    model = trial.timed('build', lambda: opened.build(network))
    losses = [trial.timed('first', lambda: opened.train(model, batches[0]))]
    if not same:
        # Steps of a network of their own are compared, where the reference would take long or has another optimizer.
        model, losses = opened.build(plain(network)), []
    for batch in asked[len(losses):]:
        start = now()
        losses.append(opened.train(model, batch))
        last = now() - start
    trial.compare('loss', 'step', losses, expected[:len(losses)])
    if not same or last <= trial.trial['budget']:
        model = opened.build(network)
        # What compiles for each new network does so here.
        again = [opened.train(model, batches[0])]
        if not same:
            # No step with this batch has a time yet.
            start = now()
            again.append(opened.train(model, batches[0]))
            last = now() - start
        if network['optimizer'] != 'sgd' and last <= trial.trial['budget']:
            falls(trial, lambda: opened.train(model, batches[0]), again)
    trial.steady(round_robin(lambda batch: opened.train(model, batch), batches), last)


def plain(network):
    """The network as it is compared: the reference has plain gradient descent."""
    return {**network, 'optimizer': 'sgd', 'rate': network['compared']['rate']}


def falls(trial, step, losses):
    """An optimizer that the reference does not have lowers the loss of one batch soon."""
    while len(losses) < FALLS and not losses[-1] < losses[0]:
        losses.append(step())
    if not losses[-1] < losses[0]:
        ratio = losses[-1] / losses[0]
        trial.check = {'kind': 'falling', 'difference': ratio if ratio == ratio else sys.float_info.max, 'tolerance': 1}
        raise Wrong(f'trained on the same examples again and again, its loss goes {losses}')


def batches_of(trial, framework, size, count):
    import numpy as np
    inputs, labels = trial.examples()
    one_hot = np.eye(trial.network['layers'][-1]['kernel'][-1], dtype=np.float32)[labels]
    return [framework.batch(inputs[at:at + size], one_hot[at:at + size]) for at in range(0, count * size, size)]


def infer(trial, framework):
    opened = trial.open(framework)
    inputs = list(trial.examples()[0][:trial.network['compared']['outputs']])
    if not os.listdir(trial.files):
        raise FileNotFoundError('there are no files of the network: they come from the task "save"')
    model = trial.timed('load', lambda: opened.load(trial.files, trial.network))
    outputs = [trial.timed('first', lambda: opened.infer(model, inputs[0]))]
    for x in inputs[1:]:
        start = now()
        outputs.append(opened.infer(model, x))
        last = now() - start
    expected = json.loads(trial.read('outputs.json'))
    trial.compare('output', 'example', outputs, expected)
    trial.steady(round_robin(lambda x: opened.infer(model, x), inputs), last)


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


class Turns:
    """A network that is trained in slices, for `talk`. Of the framework's backends the fastest is taken."""

    def __init__(self, framework, network, folder):
        best = None
        for backend in getattr(framework, 'backends', ['cpu']):
            trial = Trial({'trial': {'backend': backend}, 'network': network, 'data': folder}, None)
            opened = framework(backend)
            about = opened.info()
            made = self.begin(opened, trial)
            took = self.fastest(*made[:2])
            if best is None or took < best[0]:
                best = took, about, made
        about, (self.train, self.batches, self.losses, self.first) = best[1:]
        self.about, self.next = f"{about['version']}, {about['engine']}", 0

    @staticmethod
    def begin(opened, trial):
        """The first step, compared losses, and the network as all start with it: (call, batches, losses, s)."""
        network = trial.network_with_weights()
        compared = network['compared']
        batches = batches_of(trial, opened, network['batch'], BATCHES)
        model, start = opened.build(network), now()
        opened.train(model, batches[0])
        first, model = (now() - start) / 1e3, opened.build(plain(network))
        losses = [opened.train(model, b) for b in batches_of(trial, opened, compared['batch'], compared['steps'])]
        model = opened.build(network)
        return lambda batch: opened.train(model, batch), batches, losses, first

    @staticmethod
    def fastest(train, batches):
        """ms of the fastest of some steps, or of the second where one takes longer."""
        train(batches[0])
        end, took = now() + 150, []
        while not took or now() < end:
            start = now()
            train(batches[0])
            took.append(now() - start)
        return min(took)

    def slice(self, ms):
        start, steps = now(), 0
        while True:
            self.next += 1
            self.train(self.batches[self.next % len(self.batches)])
            steps += 1
            if now() - start >= ms:
                return (now() - start) / steps


def talk(framework, answers):
    """A line of JSON asks, a line answers: {"create": network, "data": folder} -> {"about", "losses", "first": s}; {"slice": ms} -> {"ms"}."""
    turns = None
    for line in sys.stdin:
        request = json.loads(line)
        if 'create' in request:
            turns = None
            turns = Turns(framework, request['create'], request['data'])
            answer = {'about': turns.about, 'losses': turns.losses, 'first': turns.first}
        else:
            turns.train(turns.batches[0])
            answer = {'ms': turns.slice(request['slice'])}
        answers.write(json.dumps(answer) + '\n')


def cores():
    count = len(os.sched_getaffinity(0))
    return f'{count} core{"" if count == 1 else "s"}'


def run(framework):
    # What libraries print must not get between the lines.
    answers = os.fdopen(os.dup(1), 'w', buffering=1)
    os.dup2(2, 1)
    if sys.argv[1:] == ['talk']:
        return talk(framework, answers)
    say = lambda line: answers.write(json.dumps(line) + '\n')
    say(result_of(Trial(json.load(sys.stdin), say), framework))
