// Predictions of a model that may be on a GPU, or a part of what is differentiated. model.ts trains it.

import {Assembled} from './assembled.js';
import type {GpuModel} from './device.js';
import {call, engine, heap, withArguments} from './engine.js';
import {isRecording} from './gradients.js';
import {zeros} from './ops.js';
import {first} from './predictor.js';
import {allHere, fillLater, handleOf, keep, Tensor, typeNumber, type DataType} from './tensor.js';
import {tracing} from './tracing.js';

/** Gives `to` the values of `from`, of the same type and shape, which is disposed of. */
function moveTo(to: Tensor, from: Tensor): void {
  const {buffer, byteOffset, length} = from.dataSync();
  heap.f32(engine().fj_data(handleOf(to)), length).set(new Float32Array(buffer, byteOffset, length));
  from.dispose();
}

export class Elsewhere extends Assembled {
  protected override predictBy(xs: Tensor[], batchSize: number): Tensor | Tensor[] {
    // What is differentiated, or a part of something else, is computed now.
    if (isRecording() || tracing()) return first(this.recorded(xs, false));
    const gpu = this.home.isElsewhere && xs.every((t) => t.isHere) ? this.home.now() : undefined;
    if (this.home.isElsewhere && !gpu) return this.predictLater(xs, batchSize);
    return gpu ? first(this.predictThere(gpu, xs, batchSize)) : super.predictBy(xs, batchSize);
  }
  private outputsFor(x: Tensor[]): {shape: number[]; dtype: DataType}[] {
    return this.info().outputs.map(({shape, dtype}) => ({shape: [x[0]!.shape[0] ?? 0, ...(shape.slice(1) as number[])], dtype}));
  }
  /** The values stay on the GPU, where ops can take them at once. */
  private predictThere(gpu: GpuModel, x: Tensor[], batchSize: number): Tensor[] {
    const outputs = this.outputsFor(x).map(({shape, dtype}) => ({shape, type: typeNumber(dtype)}));
    return gpu.predict(x.map((t) => handleOf(t)), outputs, batchSize).map((handle) => new Tensor(handle));
  }
  /** After what is on its way to the GPU. */
  private predictLater(x: Tensor[], batchSize: number): Tensor | Tensor[] {
    const samples = x[0]!.shape[0] ?? 0;
    const inputs = x.map((t) => t.clone());
    const outputs = this.outputsFor(x).map(({shape, dtype}) => zeros(shape, dtype));
    // Whoever disposes of the result before it is there disposes of its own handle.
    const kept = outputs.map((t) => t.clone());
    for (const t of [...inputs, ...kept]) keep(t);
    const done = this.home.queued(async () => {
      try {
        const gpu = await this.home.enter();
        await allHere(inputs);
        // Another backend was set since: it is here again.
        if (!gpu) return [super.predictBy(inputs, batchSize, 0)].flat().forEach((t, i) => moveTo(kept[i]!, t));
        const handles = inputs.map((t) => handleOf(t));
        for (let begin = 0; begin < samples; begin += batchSize) {
          const count = Math.min(batchSize, samples - begin);
          withArguments((a) => call('fj_gpuPredict', this.built, a.i32(handles), handles.length, begin, count));
          (await (await gpu.submit(false)).values).forEach((bytes, i) => {
            const values = new Float32Array(bytes);
            const {handle} = kept[i]!;
            heap.f32(engine().fj_data(handle) + (begin * 4 * values.length) / count, values.length).set(values);
          });
        }
      } finally {
        for (const t of [...inputs, ...kept]) t.dispose();
      }
    });
    return first(outputs.map((t) => fillLater(t, done)));
  }
}
