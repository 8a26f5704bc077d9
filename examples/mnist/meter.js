// How a training goes: the curve and the clock.
//
//   const meter = createMeter(curve, {epoch: 0, batches: 469});
//   meter.add(loss, accuracy, size);      // a batch; true where the curve has grown
//   const timed = meter.endEpoch();       // {seconds, imagesPerSecond}; the clock stands still
//   meter.startEpoch();                   // and goes on
//
// A curve is {loss: [], accuracy: []} with kPerEpoch points an epoch, each the mean of the batches that fall into it.
import {kPerEpoch} from './chart.js';

export function createMeter(curve, {epoch, batches}) {
  let point, started, batch, images;
  // For the speed of the last moment.
  let [recent, mark] = [0, 0];

  function startEpoch() {
    // What an interrupted epoch left is drawn anew.
    for (const values of Object.values(curve)) values.length = epoch * kPerEpoch;
    [batch, images] = [0, 0];
    point = {batches: 0, loss: 0, accuracy: 0};
    started = mark = performance.now();
    recent = 0;
  }
  startEpoch();

  return {
    startEpoch,
    add(loss, accuracy, size) {
      recent += size;
      images += size;
      batch += 1;
      point.batches += 1;
      point.loss += loss;
      point.accuracy += accuracy;
      const due = epoch * kPerEpoch + Math.round((batch * kPerEpoch) / batches);
      if (curve.loss.length >= due) return false;
      while (curve.loss.length < due) {
        curve.loss.push(point.loss / point.batches);
        curve.accuracy.push(point.accuracy / point.batches);
      }
      point = {batches: 0, loss: 0, accuracy: 0};
      return true;
    },
    endEpoch() {
      const seconds = (performance.now() - started) / 1000;
      epoch += 1;
      started = null;
      return {seconds, imagesPerSecond: images / seconds};
    },
    /** Seconds of this epoch so far: testing at its end does not count. */
    seconds: () => (started === null ? 0 : (performance.now() - started) / 1000),
    /** Images a second since the last call; null where too little has happened to say. */
    speed() {
      const elapsed = performance.now() - mark;
      if (started === null || elapsed < 200 || !recent) return null;
      const speed = (recent * 1000) / elapsed;
      recent = 0;
      mark += elapsed;
      return speed;
    },
  };
}
