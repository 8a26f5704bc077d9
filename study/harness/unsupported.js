// What is thrown where a framework or this browser lacks what a trial needs: it then ends as `unsupported` with this reason,
// and not as an error.
//
//   throw new Unsupported('this browser has no WebGPU adapter');
export class Unsupported extends Error {}

/** Why a subject says that it cannot do a task on a backend of its, with a network of these layers; or undefined. */
export function refusal({training, unsupported = {}}, backend, task, layers = []) {
  const asked = [task, ...layers.flatMap(({type}) => [type, `${task} ${type}`])];
  const reasons = asked.map((what) => backend.unsupported?.[what] ?? unsupported[what]);
  return reasons.find(Boolean) ?? (task === 'train' && training === 'none' ? 'it only infers' : undefined);
}
