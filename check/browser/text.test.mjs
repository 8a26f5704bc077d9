// The page that learns to write, as a person uses it: training, writing, texts of one's own, saving and resuming, small screens.
import assert from 'node:assert/strict';
import {after, suite, test} from 'node:test';
import {nothingOff, offScreen, open, screens} from './setting.mjs';

const setting = await open();
after(() => setting.close());

const state = (wanted) => `document.body.dataset.state === '${wanted}'`;
const settled = (page) => page.evaluate(() => window.fjordExample.settled());
/** The small network; a text of one's own of some thousand characters is examined at once. */
async function opened(options = {}, query = 'steps=40') {
  const page = await setting.page({path: `/text/?size=small&${query}`, ...options});
  await page.waitForFunction(state('ready'), null, {timeout: 60000});
  await settled(page);
  return page;
}
async function train(page) {
  await page.click('#primary');
  await page.waitForFunction(state('done'), null, {timeout: 120000});
  await settled(page);
}
const file = (text, name = 'own.txt') => ({name, mimeType: 'text/plain', buffer: Buffer.isBuffer(text) ? text : Buffer.from(text)});
const kRhyme = 'One fish, two fish, red fish, blue fish.\n'.repeat(100);
async function choose(page, text) {
  await page.setInputFiles('#file', file(text));
  await page.waitForFunction(() => document.querySelector('#about').textContent.startsWith('own.txt'));
  await settled(page);
}
const weights = (page) => page.evaluate(() => window.fjordExample.model.getWeights().flatMap((t) => Array.from(t.dataSync())));

test('it learns Moby-Dick, writes while it learns, keeps what it wrote, and its console stays empty', async () => {
  const page = await opened({}, 'steps=80');
  assert.match(await page.textContent('#engine'), /WebAssembly.*SIMD.*threads.*cross-origin isolated/);
  assert.match(await page.textContent('#about'), /Moby-Dick: 1,190,317 characters of 83 kinds.*LSTM of 128 units, 95,795 weights/);
  const guessed = Number.parseFloat(await page.textContent('#loss'));
  const {evenly, frequencies} = await page.evaluate(() => window.fjordExample.text);
  assert.ok(Math.abs(evenly - Math.log(83)) < 1e-9 && Math.abs(guessed - evenly) < 0.1, `before training the loss is ${guessed}, and ${evenly} of who guesses`);
  assert.ok(frequencies > 3 && frequencies < 3.2, `${frequencies} for who knows how frequent each character is`);
  const before = await page.textContent('#written');
  assert.ok(before.startsWith('Call me Ishmael.') && before.length > 100);
  await train(page);
  const {history, curve, samples, written} = await page.evaluate(() => (({history, curve, samples, written}) => ({history, curve, samples, written}))(window.fjordExample));
  assert.deepEqual(history.map(({step}) => step), [60, 80]);
  assert.ok(history[1].unseen < frequencies && history[1].unseen < history[0].unseen, JSON.stringify(history));
  assert.deepEqual(curve.steps, [10, 20, 30, 40, 50, 60, 70, 80]);
  assert.ok(curve.loss.at(-1) < curve.loss[0] - 0.5, `${curve.loss}`);
  assert.equal(await page.textContent('#loss'), `${history[1].unseen.toFixed(2)}nats`);
  assert.deepEqual(samples.map(({step}) => step), [0, 20, 40, 80]);
  assert.equal(await page.locator('#samples li').count(), 4);
  assert.match(await page.textContent('#samples li:last-child'), /Step 80loss \d\.\d\dCall me Ishmael\./);
  assert.ok(written.length > 300 && written !== before);
  assert.equal(await page.textContent('#written'), written);
  assert.match(await page.textContent('#written-at'), /80 steps/);
  assert.match(await page.textContent('#numbers'), /60\s*\d\.\d{3}\s*\d\.\d{3}/);
  assert.match(await page.getAttribute('#chart', 'aria-label'), /After 80 steps: \d\.\d\d in training, \d\.\d\d on unseen text/);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test('the one who writes, a character at a time, foretells what the network foretells of whole windows', async () => {
  const page = await opened();
  const {difference, least} = await page.evaluate(async () => {
    const [tf, {createWriter, create, kBatch, kWindow}] = await Promise.all([import('fjord'), import('/text/network.js')]);
    const [kinds, row] = [30, 5];
    const model = create('small', kinds);
    // Larger weights, so that it matters what was read before.
    model.setWeights(model.getWeights().map((t) => t.mul(3)));
    const codes = Array.from({length: 2}, () => Int32Array.from({length: kBatch * kWindow}, () => Math.floor(Math.random() * kinds)));
    // Two windows: with the second it goes on where the first one ended.
    const whole = codes.map((c) => model.predict(tf.tensor2d(c, [kBatch, kWindow], 'int32'), {batchSize: kBatch}).dataSync().slice());
    const writer = createWriter(model);
    await writer.begin();
    let [difference, least] = [0, 1];
    for (const i of [0, 1]) {
      for (let at = 0; at < kWindow; ++at) {
        const chances = await writer.next(codes[i][row * kWindow + at]);
        const expected = whole[i].subarray((row * kWindow + at) * kinds, (row * kWindow + at + 1) * kinds);
        chances.forEach((p, k) => (difference = Math.max(difference, Math.abs(p - expected[k]))));
        least = Math.min(least, ...chances);
      }
    }
    return {difference, least};
  });
  assert.ok(difference < 1e-5, `they differ by ${difference}`);
  assert.ok(least < 0.01, 'chances that are not all alike');
  await page.context().close();
});

test('a temperature makes the likely likelier', async () => {
  const page = await opened();
  const counts = await page.evaluate(async () => {
    const {pick} = await import('/text/network.js');
    const chances = Float32Array.of(0.1, 0.6, 0.3);
    return [0.01, 1, 100].map((temperature) => {
      const drawn = [0, 0, 0];
      for (let i = 0; i < 3000; ++i) drawn[pick(chances, temperature, () => (i + 0.5) / 3000)] += 1;
      return drawn;
    });
  });
  assert.deepEqual(counts[0], [0, 3000, 0]);
  assert.deepEqual(counts[1], [300, 1800, 900]);
  assert.ok(counts[2].every((count) => Math.abs(count - 1000) < 20), `${counts[2]}`);
  await page.context().close();
});

test('when it does not train it writes what it is asked for', async () => {
  const page = await opened();
  await choose(page, kRhyme);
  await train(page);
  await page.fill('#beginning', 'blue “ÔNE” €');
  // What the text has not: a letter's accent, its case, and what nothing is like.
  assert.equal(await page.textContent('#beginning-note'), 'Not in this text, and left out: “ ” €');
  await page.press('#beginning', 'Enter');
  await page.waitForFunction(() => document.querySelector('#spoken').textContent);
  const written = await page.textContent('#written');
  assert.ok(written.startsWith('blue One '), written);
  assert.ok((await page.textContent('#spoken')).endsWith(written));
  await page.focus('#temperature');
  await page.keyboard.press('Home');
  assert.equal(await page.textContent('#temperature-shown'), '0.2');
  await page.click('#write-on');
  await page.waitForFunction((length) => document.querySelector('#written').textContent.length === length + 320, written.length);
  assert.ok((await page.textContent('#written')).startsWith(written));
  await page.fill('#beginning', '');
  await page.click('#write');
  await page.waitForFunction(() => document.querySelector('#seed').textContent === '' && document.querySelector('#written').textContent.length === 640);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test('training stops at once, goes on and is begun anew', async () => {
  const page = await opened({}, 'steps=100000');
  const late = await page.evaluate(async () => {
    const until = async (true_) => {
      while (!true_()) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    document.querySelector('#primary').click();
    await until(() => window.fjordExample.step >= 25);
    const {step} = window.fjordExample;
    document.querySelector('#primary').click();
    await until(() => document.body.dataset.state === 'ready');
    return window.fjordExample.step - step;
  });
  // The step that was on its way.
  assert.ok(late <= 1, `${late} steps later`);
  assert.match(await page.textContent('#status'), /Stopped after \d+ of 100,000 steps/);
  await settled(page);
  assert.equal(await page.textContent('#primary'), 'Continue');
  const step = await page.evaluate(() => window.fjordExample.step);
  assert.equal(await page.evaluate(() => window.fjordExample.history.at(-1).step), step);
  await page.click('#primary');
  await page.waitForFunction((step) => window.fjordExample.step > step + 5, step);
  await page.click('#primary');
  await page.waitForFunction(state('ready'));
  await page.click('#restart');
  await page.waitForFunction(() => document.querySelector('#primary').textContent === 'Train');
  await settled(page);
  assert.equal(await page.evaluate(() => window.fjordExample.step), 0);
  assert.equal(await page.locator('#samples li').count(), 0);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test('what was saved is resumed after a reload, and trains on to the same bits', async () => {
  const page = await opened();
  await choose(page, kRhyme);
  await train(page);
  const saved = await weights(page);
  await page.click('#save');
  await page.waitForFunction(() => document.querySelector('#save').textContent === 'Saved');
  await train(page);
  const expected = await weights(page);
  assert.notDeepEqual(expected, saved);
  const loss = await page.textContent('#loss');
  await page.reload();
  await page.waitForFunction(state('ready'));
  assert.ok(await page.isHidden('#resume'), 'it was another text');
  await choose(page, kRhyme);
  assert.match(await page.textContent('#resume'), /Resume \(40 steps\)/);
  await page.click('#resume');
  await page.waitForFunction(state('done'));
  await settled(page);
  assert.deepEqual(await weights(page), saved);
  assert.deepEqual(await page.evaluate(() => window.fjordExample.samples.map(({step}) => step)), [0, 20, 40]);
  assert.equal(await page.textContent('#primary'), 'Train 40 more');
  await train(page);
  assert.deepEqual(await weights(page), expected);
  assert.equal(await page.textContent('#loss'), loss);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

suite('texts of one’s own', () => {
  test('are learnt, whatever their characters', async () => {
    const page = await opened();
    // A mark, lines of another system, an accent apart from its letter, and a character of two units.
    const poem = `\ufeffD’où vient l’e\u0301té ?\r\nDe la mer 🌊 peut-être.\r\n`.repeat(60);
    await choose(page, poem);
    const {alphabet, length, beginning} = await page.evaluate(() => window.fjordExample.text);
    assert.ok(alphabet.includes('🌊') && alphabet.includes('é') && alphabet.includes('\n') && !alphabet.includes('\r') && !alphabet.includes('\u0301') && !alphabet.includes('\ufeff'), alphabet.join(''));
    const characters = [...'D’où vient l’été ?\nDe la mer 🌊 peut-être.\n'];
    assert.equal(length, 60 * characters.length);
    assert.equal(beginning, 'D’où vient l’été');
    assert.equal(await page.inputValue('#beginning'), beginning);
    assert.match(await page.textContent('#about'), new RegExp(`own\\.txt: 2,520 characters of ${new Set(characters).size} kinds\\.`));
    await train(page);
    assert.ok([...(await page.textContent('#written'))].every((c) => alphabet.includes(c)));
    // And back to the other.
    await page.check('[name=source][value=moby-dick]', {force: true});
    await page.waitForFunction(() => document.querySelector('#about').textContent.startsWith('Moby-Dick'));
    await settled(page);
    assert.equal(await page.inputValue('#beginning'), 'Call me Ishmael.');
    assert.equal(await page.evaluate(() => window.fjordExample.step), 0);
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  });

  test('with more kinds of characters than it learns: it says how many are left out', async () => {
    const page = await opened();
    const rare = Array.from({length: 600}, (_, i) => String.fromCharCode(0x4e00 + i)).join('');
    await choose(page, kRhyme + rare);
    const kinds = new Set(kRhyme).size;
    assert.match(await page.textContent('#about'), new RegExp(`4,${100 + 500 - kinds} characters of 500 kinds\\. ${100 + kinds} characters of ${100 + kinds} rare kinds are left out\\.`));
    await page.context().close();
  });

  const broken = {
    'an empty file': ['', /own\.txt is empty/],
    'a short one': ['Call me Ishmael.', /This text has 16 characters: with fewer than 2,000/],
    'one in another encoding': [Buffer.from('\u00e9t\u00e9 '.repeat(1000), 'latin1'), /own\.txt is no text in UTF-8/],
    'one with zero bytes': [Buffer.alloc(5000), /own\.txt is no text: there are zero bytes/],
  };
  test('that are none: the page says what is wrong and goes on', async () => {
    const page = await opened();
    for (const [what, [text, message]] of Object.entries(broken)) {
      await page.setInputFiles('#file', file(text));
      await page.waitForFunction(() => !/^(Reading .*)?$/.test(document.querySelector('#status').textContent));
      assert.match(await page.textContent('#status'), message, what);
      assert.equal(await page.evaluate(() => document.body.dataset.state), 'ready');
      await page.evaluate(() => (document.querySelector('#status').textContent = ''));
    }
    assert.ok(await page.isHidden('#own'));
    await train(page);
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  });

  test('can be dropped on the page', async () => {
    const page = await opened();
    await page.evaluate((text) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([text], 'own.txt', {type: 'text/plain'}));
      for (const type of ['dragover', 'drop']) document.querySelector('h1').dispatchEvent(new DragEvent(type, {dataTransfer, bubbles: true, cancelable: true}));
    }, kRhyme);
    await page.waitForFunction(() => document.querySelector('#about').textContent.startsWith('own.txt'));
    await page.context().close();
  });

  test('in UTF-16, with its mark, are read too', async () => {
    const page = await opened();
    await choose(page, Buffer.from(`\ufeff${kRhyme}`, 'utf16le'));
    assert.equal(await page.evaluate(() => window.fjordExample.text.length), kRhyme.length);
    await page.context().close();
  });
});

suite('on every screen', () => {
  for (const [name, options] of Object.entries(screens)) {
    test(`${name}: nothing is cut off or under something else`, async () => {
      const page = await opened(options, 'steps=20');
      assert.deepEqual(await offScreen(page), nothingOff, 'before training');
      await page.setInputFiles('#file', file(kRhyme, `${'a-very-long-name-'.repeat(8)}.txt`));
      await page.waitForFunction(() => document.querySelector('#about').textContent.startsWith('a-very'));
      await train(page);
      await page.click('#save');
      await page.waitForFunction(() => document.querySelector('#save').textContent === 'Saved');
      await train(page);
      assert.deepEqual(await offScreen(page), nothingOff, 'after training');
      await page.context().close();
    });
  }
});

test('where there is no cross-origin isolation it trains on one thread and says how to get more', async () => {
  const page = await opened({isolated: false}, 'steps=20');
  assert.match(await page.textContent('#engine'), /1 thread .*not cross-origin isolated/);
  await choose(page, kRhyme);
  await train(page);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test('without WebAssembly SIMD the page says so', async () => {
  const context = await setting.browser.newContext();
  await context.addInitScript(() => (WebAssembly.validate = () => false));
  const page = await context.newPage();
  await page.goto(`${setting.url}/text/`);
  await page.waitForFunction(state('error'));
  assert.match(await page.textContent('#status'), /WebAssembly SIMD/);
  await context.close();
});
