// How a training goes: the curve and the clock.
//
//   const meter = createMeter(run);         // adds to run.curve and run.seconds
//   meter.add(step, loss);                  // true where the curve has grown
//   meter.pause(); meter.resume();          // what is no training does not count: writing, examining
//
// A curve is {steps: [], loss: []}: a point every few steps, the mean of their losses.

const kStepsAPoint = 10;

export function createMeter(run, characters) {
  let [sum, count] = [0, 0];
  let started = performance.now();
  // For the speed of the last moment.
  let [recent, elapsed] = [0, 0];

  function pause() {
    if (started === null) return;
    const seconds = (performance.now() - started) / 1000;
    run.seconds += seconds;
    elapsed += seconds;
    started = null;
  }
  function resume() {
    started ??= performance.now();
  }
  return {
    pause,
    resume,
    add(step, loss) {
      sum += loss;
      count += 1;
      recent += characters;
      if (count < kStepsAPoint) return false;
      run.curve.steps.push(step);
      run.curve.loss.push(sum / count);
      [sum, count] = [0, 0];
      return true;
    },
    /** Characters a second since the last call; null where too little has happened to say. */
    speed() {
      if (started !== null) {
        pause();
        resume();
      }
      if (elapsed < 0.3 || !recent) return null;
      const speed = recent / elapsed;
      [recent, elapsed] = [0, 0];
      return speed;
    },
  };
}
