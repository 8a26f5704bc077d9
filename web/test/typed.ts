// What an editor says of arguments: checked by typed.test.mjs. Each line below @ts-expect-error must be an error.
import * as tf from '../src/index.js';
import * as text from '../src/text.js';

tf.layers.dense({units: 3, activation: 'relu', useBias: false, inputShape: [2], kernelInitializer: 'glorotUniform', name: 'd'});
tf.layers.conv2d({filters: 3, kernelSize: [3, 3], strides: 2, padding: 'same', dataFormat: 'channelsLast', kernelRegularizer: tf.regularizers.l2({l2: 0.1})});
tf.layers.dense({units: 3, kernelInitializer: tf.initializers.varianceScaling({mode: 'fanIn', distribution: 'truncatedNormal'}), activation: null});
tf.layers.flatten();
tf.layers.add();
tf.layers.batchNormalization({momentum: 0.9, axis: -1, trainable: false});
tf.layers.timeDistributed({layer: tf.layers.dense({units: 2})});
tf.layers.lstm({units: 4, returnSequences: true, recurrentActivation: 'sigmoid', unitForgetBias: false, implementation: 2});
tf.layers.gru({units: 4});
tf.layers.rnn({cell: [tf.layers.lstmCell({units: 4}), tf.layers.gruCell({units: 3})], stateful: true});
tf.layers.bidirectional({layer: tf.layers.simpleRNN({units: 4}), mergeMode: null});
tf.callbacks.earlyStopping({monitor: 'val_loss', patience: 3, restoreBestWeights: true});
tf.schedules.exponentialDecay({initialLearningRate: 0.1, decaySteps: 10, decayRate: 0.5});
tf.layers.dense({units: 1, activation: (x) => x.square(), kernelRegularizer: (w) => w.abs().sum(), biasConstraint: {apply: (w: tf.Tensor) => w.relu()}});
const kept: tf.Conv2DArgs = {filters: 1, kernelSize: 3};
tf.layers.conv2d({...kept, padding: 'valid'});

// @ts-expect-error
tf.layers.conv2d({filters: 3, kernelSiz: 3});
// @ts-expect-error
tf.layers.conv2d({filters: 3, kernelSize: 3, padding: 'some'});
// @ts-expect-error
tf.layers.conv2d({filters: '3', kernelSize: 3});
// @ts-expect-error
tf.layers.dense({activation: 'relu'});
// @ts-expect-error
tf.layers.dense();
// @ts-expect-error
tf.layers.dense({units: 3, useBias: 'yes'});
// @ts-expect-error
tf.layers.dropout({rat: 0.5});
// @ts-expect-error
tf.layers.gru({returnSequences: true});
// @ts-expect-error
tf.layers.bidirectional({layer: tf.layers.simpleRNN({units: 4}), mergeMode: 'max'});
// @ts-expect-error
tf.initializers.randomUniform({min: 0});
// @ts-expect-error
tf.callbacks.earlyStopping({patients: 3});

const inner = tf.sequential({layers: [tf.layers.dense({units: 2, inputShape: [3]})]});
const x = tf.input({shape: [3]});
const outer: tf.LayersModel = tf.model({inputs: x, outputs: tf.layers.dense({units: 1}).apply(inner.apply(x, {training: false}))});
outer.getLayer(0).trainable = false;
outer.compile({optimizer: tf.train.adam(), loss: (y, p) => y.sub(p).square(), metrics: [tf.metrics.mse]});
class Scale extends tf.layers.Layer {
  static className = 'Scale';
  factor?: tf.LayerVariable;
  override build(shape: (number | null)[]): void {
    this.factor = this.addWeight('factor', [shape.at(-1)!], 'float32', tf.initializers.ones());
  }
  override call([x]: tf.Tensor[]): tf.Tensor {
    return x!.mul(this.factor!.read());
  }
}
tf.serialization.registerClass(Scale);
tf.sequential({layers: [new Scale({inputShape: [3]}), tf.layers.dense({units: 1})]});
const [kernel] = outer.trainableWeights;
tf.train.sgd(0.1).minimize(() => (outer.apply(tf.ones([1, 3])) as tf.Tensor).mean(), false, [kernel!.val]);
class Doubling extends tf.LayersModel {
  twice(of: tf.Tensor): tf.Tensor {
    return (this.predict(of) as tf.Tensor).mul(2);
  }
}
const row: tf.LayersModel = inner;
const own: tf.LayersModel = new Doubling({inputs: row.inputs, outputs: row.outputs});
own.setUserDefinedMetadata({labels: ['a', 'b']});
own.loadWeights({'d/kernel': tf.initializers.heNormal({seed: 1}).apply([2, 3])}, false);
tf.variable(tf.constraints.maxNorm({maxValue: 2}).apply(tf.regularizers.l2().apply(tf.ones([2])).reshape([1])));
export const trained: Promise<tf.History> = own.fit(tf.ones([1, 3]), tf.ones([1, 2]));
export const loaded: Promise<tf.LayersModel> = tf.models.modelFromJSON(own.toJSON(null, false) as object);
// @ts-expect-error
new tf.LayersModel({inputs: row.inputs});
// @ts-expect-error
tf.initializers.ones().apply('2');

const words = text.textVectorization({maxTokens: 9, standardize: (s) => s.trim(), split: 'character', ngrams: [1, 2], outputMode: 'tfIdf'});
const learnt: void = words.adapt(['a', 'b']);
async function* batches() {
  yield ['a'];
}
const later: Promise<void> = words.adapt(batches(), {steps: 2});
const numbers: tf.Tensor = words.apply([['a'], ['b']]);
const names: string[] = text.stringLookup({invert: true}).apply([1, 2]);
const nested: text.Words = text.stringLookup({invert: true}).apply(numbers);
text.hashedCrossing({numBins: 3, outputMode: 'oneHot'}).apply([['a'], new Int32Array([1])]);
void [learnt, later, names, nested];
// @ts-expect-error
text.hashing({});
// @ts-expect-error
text.hashing({numBins: 3, outputMode: 'tf_idf'});
// @ts-expect-error
text.textVectorization({standardise: null});
// @ts-expect-error
words.apply([1]);
