// Slices of several calls in turns: whatever else the machine does hits all alike.
//
//   await takeTurns(rows, {rounds: 9, slice: 150});     // rows: [{call, samples: [], last}]; milliseconds a call are added to samples
//
// A row may have `before`, which is called before each slice, and `own(ms)`, which takes a slice elsewhere and gives its mean.
// `last` is what a call took before.

export async function takeTurns(rows, {rounds, slice, most = Infinity, report = () => {}}) {
  // Workers start when a page pauses.
  await new Promise((resolve) => setTimeout(resolve, 500));
  const began = performance.now();
  for (let round = 0; round < rounds && performance.now() - began < most; ++round) {
    if (round % Math.ceil(rounds / 20) === 0) report(`round ${round + 1} of ${rounds}`);
    // Another goes first in each round, so that none always follows the same.
    for (const row of [...rows.slice(round % rows.length), ...rows.slice(0, round % rows.length)]) {
      if (row.own) {
        row.samples.push(await row.own(slice));
        continue;
      }
      await row.before?.();
      // Into its caches; one that takes longer than a slice has them to itself.
      if (!((row.samples.at(-1) ?? row.last) >= slice)) await row.call();
      const start = performance.now();
      let calls = 0;
      do {
        await row.call();
        ++calls;
      } while (performance.now() - start < slice);
      row.samples.push((performance.now() - start) / calls);
    }
  }
}
