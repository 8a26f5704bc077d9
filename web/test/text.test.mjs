// fjord/text beside Keras (check/goldens/text.py): the same numbers of the same texts, and words for what cannot be.
import assert from 'node:assert/strict';
import {mkdirSync, readFileSync, rmSync, symlinkSync} from 'node:fs';
import {createRequire} from 'node:module';
import {suite, test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {build} from 'esbuild';
import * as text from '../../build/npm/text.js';
import {closeValues, fj} from './helpers.mjs';

const {hashedCrossing, hashing, stringLookup, textVectorization} = text;
const {texts, cases} = JSON.parse(readFileSync(new URL('../../check/goldens/text.json', import.meta.url), 'utf8'));
const given = (inputs) => (typeof inputs === 'string' && inputs.startsWith('@') ? texts[inputs.slice(1)] : inputs);
const inCamelCase = (config) => Object.fromEntries(Object.entries(config).map(([key, value]) => [key.replace(/_([a-z])/g, (_, c) => c.toUpperCase()), value]));
const factories = {TextVectorization: textVectorization, StringLookup: stringLookup, Hashing: hashing, HashedCrossing: hashedCrossing};

function compare(output, {layer, config, shape, values}) {
  if (config.invert) return assert.deepEqual(output.flat(), values);
  assert.deepEqual(output.shape, shape);
  const isInt = [undefined, 'int'].includes(config.output_mode);
  assert.equal(output.dtype, isInt ? 'int32' : 'float32');
  closeValues(output.dataSync(), values, isInt ? 0 : 1e-6, layer);
}

suite('as Keras has it', () => {
  for (const one of cases) {
    const {layer, config, batches, vocabulary, weights} = one;
    const [inputs, data] = [given(one.inputs), given(one.adapt)];
    test(`${layer} ${JSON.stringify(config)}${data ? ' adapted' : ''}, ${JSON.stringify(one.inputs).slice(0, 60)}`, async () => {
      const made = factories[layer](inCamelCase(config));
      assert.ok(made instanceof text[layer]);
      if (data) {
        made.adapt(batches ? data.values() : data);
        assert.deepEqual(made.getVocabulary(), vocabulary);
        assert.equal(made.vocabularySize(), vocabulary.length);
        if (weights) closeValues(made.getConfig().idfWeights, weights.slice(0, vocabulary.length), 1e-6);
      }
      compare(made.apply(inputs), one);
      // The same of a config that was written and read, and of Keras's own names.
      compare(text[layer].fromConfig(JSON.parse(JSON.stringify(made.getConfig()))).apply(inputs), one);
      if (!data) compare(text[layer].fromConfig({...config, trainable: true, dtype: 'int64', sparse: false}).apply(inputs), one);
    });
  }
  test('tokens of every length that FarmHash knows are among them', () => {
    const lengths = texts.tokens.map((token) => Buffer.from(token).length);
    for (const [low, high] of [[0, 0], [1, 3], [4, 7], [8, 16], [17, 32], [33, 64], [65, 128], [129, 1000]]) assert.ok(lengths.some((n) => n >= low && n <= high), `${low} to ${high}`);
  });
});

test('deeper lists have a vector for each of the innermost, as the documentation of Keras says', () => {
  const nest = [[['a', 'z'], ['b', 'b']], [['q', 'b'], ['a', 'a']], [['a', 'b'], ['z', 'z']]];
  for (const outputMode of ['multi_hot', 'count']) {
    for (const layer of [stringLookup({vocabulary: ['a', 'b'], outputMode}), hashing({numBins: 5, outputMode})]) {
      assert.deepEqual(layer.apply(nest).arraySync(), nest.map((rows) => layer.apply(rows).arraySync()));
    }
  }
});

suite('what is learnt', () => {
  const all = ['a b c', 'b c', 'c', '', 'd d d d'];
  const learnt = () => {
    const layer = textVectorization({outputMode: 'tf_idf'});
    layer.adapt(all);
    return layer.getConfig();
  };
  async function* later() {
    yield all.slice(0, 2);
    await null;
    yield all.slice(2);
  }
  test('is the same of a list, of batches, and of batches that come later', async () => {
    const [now, soon] = [textVectorization({outputMode: 'tf_idf'}), textVectorization({outputMode: 'tf_idf'})];
    assert.equal(now.adapt([all.slice(0, 1), all.slice(1)].values()), undefined);
    assert.deepEqual(now.getConfig(), learnt());
    await soon.adapt(later());
    assert.deepEqual(soon.getConfig(), learnt());
  });
  test('ends after so many steps', async () => {
    const endless = function* () {
      for (let i = 0; ; ++i) yield [`word${i}`];
    };
    const [layer, soon] = [textVectorization(), textVectorization()];
    layer.adapt(endless(), {steps: 3});
    assert.deepEqual(layer.getVocabulary(false), ['word2', 'word1', 'word0']);
    await soon.adapt(later(), {steps: 1});
    assert.deepEqual(soon.getVocabulary(false), ['c', 'b', 'a']);
  });
  test('replaces what was learnt before, also where vectors become longer', () => {
    const layer = textVectorization({outputMode: 'count'});
    layer.adapt(['a']);
    assert.deepEqual(layer.apply(['a b']).arraySync(), [[1, 1]]);
    layer.adapt(['a b c']);
    assert.deepEqual(layer.apply(['a b']).arraySync(), [[0, 0, 1, 1]]);
    layer.setVocabulary(['b']);
    assert.deepEqual(layer.apply(['a b']).arraySync(), [[1, 1]]);
  });
  test('a rejected batch rejects the promise, and leaves the vocabulary', async () => {
    const layer = textVectorization();
    layer.setVocabulary(['a']);
    const broken = async function* () {
      yield ['b'];
      yield [3];
    };
    await assert.rejects(layer.adapt(broken()), {message: 'textVectorization takes texts or lists of them, got 3'});
    assert.deepEqual(layer.getVocabulary(), ['', '[UNK]', 'a']);
  });
});

suite('functions of the program', () => {
  const layer = () => textVectorization({standardize: (s) => s.toLocaleLowerCase('tr').normalize('NFC'), split: (s) => s.split('-'), vocabulary: ['ı', 'é']});
  test('standardize and split', () => assert.deepEqual(layer().apply(['I-E\u0301', 'i']).arraySync(), [[2, 3], [1, 0]]));
  test('are not in a config, which says so until they are', () => {
    const config = JSON.parse(JSON.stringify(layer().getConfig()));
    assert.throws(() => text.TextVectorization.fromConfig(config), {message: 'textVectorization: standardize must be one of lower_and_strip_punctuation, lower, strip_punctuation, a function or null, got an object'});
    const again = text.TextVectorization.fromConfig({...config, standardize: null, split: 'character'});
    assert.deepEqual(again.apply(['ıé']).arraySync(), [[2, 3]]);
  });
  test('that give something else are told of', () => {
    assert.throws(() => textVectorization({standardize: () => 3, vocabulary: ['a']}).apply('a'), {message: 'textVectorization: standardize takes a function that gives a text, got 3'});
    assert.throws(() => textVectorization({split: (s) => s, vocabulary: ['a']}).apply('a'), {message: "textVectorization: split takes a function that gives a list of texts, got 'a'"});
  });
});

suite('tensors', () => {
  test('are those of the package: a model learns from them', async () => {
    const layer = textVectorization({outputSequenceLength: 4});
    const [good, bad] = [['good', 'very good', 'so good really', 'fine and good'], ['bad', 'very bad', 'so bad really', 'bad and sad']];
    layer.adapt([...good, ...bad]);
    const model = fj.sequential({
      seed: 1,
      layers: [fj.layers.embedding({inputDim: layer.vocabularySize(), outputDim: 4, inputLength: 4}), fj.layers.globalAveragePooling1d(), fj.layers.dense({units: 1, activation: 'sigmoid'})],
    });
    model.compile({optimizer: fj.train.adam(0.1), loss: 'binaryCrossentropy'});
    await model.fit(layer.apply([...good, ...bad]), fj.tensor2d([1, 1, 1, 1, 0, 0, 0, 0], [8, 1]), {epochs: 20});
    const [yes, no] = model.predict(layer.apply(['really good', 'really bad'])).dataSync();
    assert.ok(yes > 0.7 && no < 0.3, `${yes} and ${no}`);
  });
  test('are counted and tidied as others', () => {
    const before = fj.memory().numTensors;
    fj.tidy(() => void hashing({numBins: 9}).apply(['a', 'b']));
    assert.equal(fj.memory().numTensors, before);
  });
  test('are taken where numbers are', () => {
    const [there, back] = [stringLookup({vocabulary: ['a', 'b']}), stringLookup({vocabulary: ['a', 'b'], invert: true})];
    assert.deepEqual(back.apply(there.apply([['a', 'q'], ['b', 'a']])), [['a', '[UNK]'], ['b', 'a']]);
    assert.equal(back.apply(2), 'b');
    assert.deepEqual(back.apply(new Int32Array([1, 2])), ['a', 'b']);
    assert.deepEqual(hashing({numBins: 99}).apply(fj.tensor1d([4, -5], 'int32')).arraySync(), hashing({numBins: 99}).apply([4, -5]).arraySync());
    assert.deepEqual(hashedCrossing({numBins: 99}).apply([fj.tensor1d([4, -5], 'int32'), ['a', 'b']]).arraySync(), hashedCrossing({numBins: 99}).apply([[4, -5], ['a', 'b']]).arraySync());
  });
  test('are of the package that the entry is for', async () => {
    for (const [name, file] of [['worker/text', 'worker'], ['single/text', 'single'], ['predict/text', 'predict/fjord']]) {
      const [{textVectorization}, tf] = await Promise.all([import(`../../build/npm/${name}.js`), import(`../../build/npm/${file}.js`)]);
      await tf.ready();
      const numbers = textVectorization({vocabulary: ['a', 'b']}).apply(['a b c']);
      assert.ok(numbers instanceof tf.Tensor, name);
      assert.deepEqual(tf.add(numbers, 1).arraySync(), [[3, 4, 2]]);
    }
    const require = createRequire(import.meta.url);
    const [common, tf] = [require('../../build/npm/text.cjs'), require('../../build/npm/fjord.cjs')];
    assert.deepEqual(Object.keys(common).sort(), Object.keys(text).sort());
    assert.deepEqual(tf.add(common.hashedCrossing({numBins: 1}).apply([['a'], ['b']]), 1).arraySync(), [1]);
  });
  test('are of one copy of the package, in what a bundler makes of both', async () => {
    const folder = fileURLToPath(new URL('../../build/text-test/', import.meta.url));
    rmSync(folder, {recursive: true, force: true});
    mkdirSync(`${folder}node_modules`, {recursive: true});
    symlinkSync(fileURLToPath(new URL('../../build/npm', import.meta.url)), `${folder}node_modules/fjord`);
    for (const [name, format] of [['fjord', 'esm'], ['fjord/worker', 'iife'], ['fjord/single', 'iife'], ['fjord/predict', 'esm']]) {
      const contents = `import * as tf from '${name}'; import {hashing} from '${name}/text'; globalThis.made = () => tf.add(hashing({numBins: 1}).apply(['a', 'b']), 1).arraySync();`;
      const outfile = `${folder}${name.replace('/', '-')}.mjs`;
      const {metafile} = await build({stdin: {contents, resolveDir: folder}, outfile, format, bundle: true, metafile: true, logLevel: 'error', external: ['./thread.js']});
      const files = Object.keys(metafile.inputs).map((input) => input.replace(/.*build\/npm\//, '')).filter((input) => /js$/.test(input));
      assert.equal(files.length, 2, files.join());
      if (name !== 'fjord/single') continue;
      await import(outfile);
      assert.deepEqual(globalThis.made(), [1, 1]);
      delete globalThis.made;
    }
  });
  test('the main file has nothing of it', () => {
    const main = readFileSync(new URL('../../build/npm/fjord.js', import.meta.url), 'utf8');
    const own = readFileSync(new URL('../../build/npm/text.js', import.meta.url), 'utf8');
    assert.ok(own.includes('textVectorization') && !/textVectorization|stringLookup|hashedCrossing/.test(main));
    assert.ok(own.length < 20000, `${own.length} bytes`);
  });
});

suite('what cannot be, in words', () => {
  const v = ['a', 'b'];
  const rows = {
    'a name that is none': [() => textVectorization({maxToken: 3}), /^textVectorization: there is no argument maxToken; known are name, maxTokens, vocabulary/],
    'sparse tensors': [() => text.Hashing.fromConfig({num_bins: 3, sparse: true}), /^hashing: there is no argument sparse/],
    'a mode': [() => textVectorization({outputMode: 'bag'}), "textVectorization: outputMode must be one of int, one_hot, multi_hot, count, tf_idf, got 'bag'"],
    'a mode of hashing': [() => hashing({numBins: 3, outputMode: 'tf_idf'}), "hashing: outputMode must be one of int, one_hot, multi_hot, count, got 'tf_idf'"],
    'a mode of crossing': [() => hashedCrossing({numBins: 3, outputMode: 'count'}), "hashedCrossing: outputMode must be one of int, one_hot, got 'count'"],
    'no bins': [() => hashing({}), 'hashing: numBins must be a whole number, at least 1, got undefined'],
    'zero bins': [() => hashedCrossing({numBins: 0}), 'hashedCrossing: numBins must be a whole number, at least 1, got 0'],
    'too many bins': [() => hashing({numBins: 2 ** 31}), 'hashing: numBins must be a whole number, at least 1 and at most 2147483647, got 2147483648'],
    'a salt of three': [() => hashing({numBins: 3, salt: [1, 2, 3]}), 'hashing: salt must be a whole number or a list of two, got [1,2,3]'],
    'a salt of letters': [() => stringLookup({salt: 'x'}), "stringLookup: salt must be a whole number or a list of two, got 'x'"],
    'a mask that is none': [() => hashing({numBins: 3, maskValue: {}}), 'hashing: maskValue takes a text or a number, got an object'],
    'a mask token': [() => stringLookup({maskToken: 3}), 'stringLookup: maskToken takes a text or null, got 3'],
    'a token for what is unknown': [() => stringLookup({oovToken: 3}), 'stringLookup: oovToken takes a text, got 3'],
    'fewer unknown than none': [() => stringLookup({numOovIndices: -1}), 'stringLookup: numOovIndices must be a whole number, at least 0, got -1'],
    'a rule': [() => textVectorization({split: 'lines'}), "textVectorization: split must be one of whitespace, character, a function or null, got 'lines'"],
    'ngrams of nothing': [() => textVectorization({ngrams: 0}), 'textVectorization: ngrams must be a whole number, at least 1, got 0'],
    'no ngrams': [() => textVectorization({ngrams: []}), 'textVectorization: ngrams must be a whole number or a list of some, got an empty list'],
    'a length below zero': [() => textVectorization({outputSequenceLength: -1}), 'textVectorization: outputSequenceLength must be a whole number, at least 0, got -1'],
    'a length of vectors': [() => textVectorization({outputSequenceLength: 3, outputMode: 'count'}), "textVectorization: outputSequenceLength is for outputMode 'int', got 3 for 'count'"],
    'no room for words': [() => textVectorization({maxTokens: 2}), 'textVectorization: maxTokens, with those for padding and unknown words, must be a whole number, at least 3, got 2'],
    'padding to nothing': [() => textVectorization({padToMaxTokens: true}), 'textVectorization: padToMaxTokens needs maxTokens, got undefined'],
    'an inversion of vectors': [() => stringLookup({invert: true, outputMode: 'count'}), "stringLookup: outputMode must be 'int' where invert is true, got 'count'"],
    'a file of words': [() => stringLookup({vocabulary: 'words.txt'}), "stringLookup: vocabulary must be a list of texts, got 'words.txt'"],
    'no words': [() => stringLookup({vocabulary: []}), 'stringLookup: vocabulary must not be empty'],
    'no words but special ones': [() => stringLookup({vocabulary: ['[UNK]']}), 'stringLookup: vocabulary must not be empty'],
    'a word twice': [() => stringLookup({vocabulary: ['a', 'b', 'a']}), "stringLookup: vocabulary has 'a' twice"],
    'the mask as a word': [() => textVectorization({vocabulary: ['a', '']}), "textVectorization: vocabulary has the maskToken '' among its words: leave it out, or begin with ['', '[UNK]']"],
    'the unknown as a word': [() => stringLookup({vocabulary: ['a', '[UNK]'], invert: true}), "stringLookup: vocabulary has the oovToken '[UNK]' among its words: leave it out, or begin with ['[UNK]']"],
    'too many words': [() => textVectorization({vocabulary: v, maxTokens: 3}), 'textVectorization: vocabulary has 4 words, with those for padding and unknown words, and maxTokens is 3'],
    'weights of no words': [() => textVectorization({outputMode: 'tf_idf', idfWeights: [1]}), 'textVectorization: idfWeights are of a vocabulary, which is not given'],
    'no weights': [() => textVectorization({outputMode: 'tf_idf', vocabulary: v}), "textVectorization: outputMode 'tf_idf' needs idfWeights, a number for each of the 2 words of vocabulary, got undefined"],
    'too few weights': [() => textVectorization({outputMode: 'tf_idf', vocabulary: v, idfWeights: [1]}), /got an array of numbers of 1$/],
    'weights of another mode': [() => textVectorization({vocabulary: v, idfWeights: [1, 2]}), "textVectorization: idfWeights are for outputMode 'tf_idf', got them for 'int'"],
    'texts to learn what is given': [() => textVectorization({vocabulary: v}).adapt(['c']), 'textVectorization.adapt: the vocabulary was given, and is not learnt'],
    'nothing to learn': [() => textVectorization().adapt(['', '!']), 'textVectorization.adapt: there is no token in these texts'],
    'a number to learn': [() => textVectorization().adapt(3), 'textVectorization.adapt takes texts, lists of texts or an iterable of them, got 3'],
    'no steps': [() => textVectorization().adapt(['a'], {steps: 0}), 'textVectorization.adapt: steps must be a whole number, at least 1, got 0'],
    'an argument of adapt': [() => textVectorization().adapt(['a'], {batchSize: 3}), 'textVectorization.adapt: there is no argument batchSize; known are steps'],
    'no vocabulary': [() => textVectorization().apply('a'), 'textVectorization: there is no vocabulary yet: adapt() learns one, setVocabulary() gives one'],
    'no vocabulary to invert': [() => stringLookup({invert: true}).apply(1), 'stringLookup: there is no vocabulary yet: adapt() learns one, setVocabulary() gives one'],
    'a word that is unknown': [() => stringLookup({vocabulary: v, numOovIndices: 0}).apply(['a', 'q']), "stringLookup: 'q' is not in the vocabulary, and numOovIndices is 0"],
    'a number for a text': [() => textVectorization({vocabulary: v}).apply(['a', 3]), 'textVectorization takes texts or lists of them, got 3'],
    'no text': [() => stringLookup({vocabulary: v}).apply(null), 'stringLookup takes texts or lists of them, got null'],
    'a text for a number': [() => stringLookup({vocabulary: v, invert: true}).apply(['a']), "stringLookup with invert takes numbers or lists of them, got 'a'"],
    'lists of several lengths': [() => stringLookup({vocabulary: v}).apply([['a'], ['a', 'b']]), 'stringLookup: lists of different lengths or depths have no shape, as a tensor needs one'],
    'lists of several depths': [() => stringLookup({vocabulary: v}).apply([['a'], [['a', 'b']]]), 'stringLookup: lists of different lengths or depths have no shape, as a tensor needs one'],
    'tokens where texts are split': [() => textVectorization({vocabulary: v}).apply([['a', 'b']]), 'textVectorization: texts are split, so an innermost list has one text, got one of 2: give a flat list, or split: null for tokens'],
    'ngrams of one text': [() => textVectorization({vocabulary: v, split: null, ngrams: 2}).apply('a'), 'textVectorization: ngrams are of tokens in a list, got a single text with split null'],
    'a number that is none': [() => hashing({numBins: 3}).apply([NaN]), 'hashing takes texts, finite numbers or lists of them, got NaN'],
    'one feature': [() => hashedCrossing({numBins: 3}).apply([['a']]), 'hashedCrossing takes a list of two or more features, got a list of 1'],
    'no features': [() => hashedCrossing({numBins: 3}).apply('ab'), "hashedCrossing takes a list of two or more features, got 'ab'"],
    'features of several shapes': [() => hashedCrossing({numBins: 3}).apply([['a', 'b'], [1]]), 'hashedCrossing takes features of one shape, [], [samples] or [samples, 1], got [2] and [1]'],
    'features of several values': [() => hashedCrossing({numBins: 3}).apply([[['a', 'b']], [['a', 'b']]]), 'hashedCrossing takes features of one shape, [], [samples] or [samples, 1], got [1,2] and [1,2]'],
    'a feature with a fraction': [() => hashedCrossing({numBins: 3}).apply([['a'], [1.5]]), 'hashedCrossing takes texts, whole numbers or lists of them, got 1.5'],
  };
  for (const [name, [call, message]] of Object.entries(rows)) test(name, () => assert.throws(call, {message}));
  test('names are taken in the case of JavaScript, too', () => {
    const layer = textVectorization({standardize: 'stripPunctuation', outputMode: 'multiHot', vocabulary: v});
    assert.deepEqual([layer.standardize, layer.outputMode], ['strip_punctuation', 'multi_hot']);
    assert.deepEqual(layer.apply(['A a!']).arraySync(), [[1, 1, 0]]);
  });
});
