// Why a spec of TensorFlow.js fails on Fjord, from what jasmine said.
//
//   causeOf({status: 'failed', problems: ['TypeError: tf.einsum is not a function']})   // {kind: 'missing', what: 'einsum'}

/** The kinds of failure, from the harmless to the one that must not be. */
export const kinds = {
  missing: 'a name that Fjord does not have',
  refused: 'refused in words',
  words: 'refused, in other words than TensorFlow.js has',
  silent: 'another value, shape or type, or nothing refused',
};

const named = [
  /(?:\w+_exports\d*\.)?([\w.()]+) is not a (?:function|constructor)/,
  /Cannot read properties of undefined \(reading '(\w+)'\)/,
  /(\w+) is not defined/,
  /(\w+)\(\.\.\.\) is not a function/,
];

export function causeOf({problems}) {
  const text = problems.join('\n');
  const missing = named.map((pattern) => text.match(pattern)?.[1]).find(Boolean);
  if (missing) return {kind: 'missing', what: missing.split('.').at(-1)};
  if (/^Not run because a beforeAll function failed/m.test(text)) return {kind: 'missing', what: 'set-up of the group'};
  if (/but it (?:threw|was rejected)/.test(text)) return {kind: 'words', what: text.match(/but it (?:threw|was rejected) ?(?:with)? ?([^]*)/)[1].slice(0, 100)};
  // Their comparisons throw errors too.
  const error = text.match(/^\w*Error: (.*)/)?.[1];
  const compared = /^(?:Arrays (?:differ|are of|have)|Numbers differ|Expected ArrayBuffer|Invalid p-value|Value out of range)/;
  if (error && !compared.test(error)) return {kind: 'refused', what: error.slice(0, 100)};
  return {kind: 'silent', what: text.split('\n')[0].slice(0, 100)};
}

/** How often each cause occurs, by kind, the most frequent first. */
export function tableOf(results) {
  const counts = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, new Map()]));
  for (const result of results.filter(({status}) => status === 'failed')) {
    const {kind, what} = causeOf(result);
    const name = kind === 'silent' ? result.name : what.replace(/\d+(?:\.\d+)?/g, kind === 'missing' ? '$&' : '#');
    counts[kind].set(name, (counts[kind].get(name) ?? 0) + 1);
  }
  return Object.entries(counts).map(([kind, causes]) => {
    const sorted = [...causes].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
    return {kind, total: sorted.reduce((sum, [, count]) => sum + count, 0), causes: sorted};
  });
}
