// What an extension may read of the resources in use: of the whole machine, and of the browser's own processes where the
// browser tells (chrome.processes: Chrome's dev channel, and Chromium as some distributions build it).
//
//   const meters = startMeters();
//   ..
//   for (const {of, samples} of meters.map((meter) => meter.stop())) ..     // [{phase: 'cpu', unit: 'percent', value: 143.2}, ..]

// The kernel counts a core's time in steps of 10 ms: 5 % of an interval.
const kInterval = 200;
// chrome.processes tells once a second what was used since it told last.
const kRefresh = 1000;

const cpu = (value) => ({phase: 'cpu', unit: 'percent', value});
const memory = (value) => ({phase: 'memory', unit: 'bytes', value});

/** Percent of one core, between two readings of chrome.system.cpu; null where no time has passed. */
export function busyBetween(before, after) {
  const shares = after.map(({usage}, i) => {
    const total = usage.total - before[i].usage.total;
    return (100 * (total - (usage.idle - before[i].usage.idle))) / total;
  });
  const sum = shares.reduce((a, b) => a + b, 0);
  return Number.isFinite(sum) && sum >= 0 ? sum : null;
}

function machineMeter() {
  const samples = [];
  let most = 0;
  let before = null;
  let going = true;
  async function look() {
    const [{processors}, {capacity, availableCapacity}] = await Promise.all([chrome.system.cpu.getInfo(), chrome.system.memory.getInfo()]);
    if (!going) return;
    const busy = before && busyBetween(before, processors);
    if (busy !== null) samples.push(cpu(busy));
    before = processors;
    most = Math.max(most, capacity - availableCapacity);
    setTimeout(look, kInterval);
  }
  look();
  return {
    stop() {
      going = false;
      return {of: 'machine', samples: most ? [...samples, memory(most)] : []};
    },
  };
}

function browserMeter() {
  const samples = [];
  const begun = performance.now();
  let most = 0;
  function note(told) {
    const processes = Object.values(told);
    const sum = (name) => processes.reduce((all, process) => all + (process[name] ?? 0), 0);
    most = Math.max(most, sum('privateMemory'));
    // What was used before the phase began is no part of it.
    if (performance.now() - begun > 0.9 * kRefresh) samples.push(cpu(sum('cpu')));
  }
  chrome.processes.onUpdatedWithMemory.addListener(note);
  return {
    stop() {
      chrome.processes.onUpdatedWithMemory.removeListener(note);
      return {of: 'browser', samples: most ? [...samples, memory(most)] : []};
    },
  };
}

export const startMeters = () => [...(chrome.system?.cpu ? [machineMeter()] : []), ...(chrome.processes ? [browserMeter()] : [])];
