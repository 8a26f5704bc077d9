// Runs fjord_bench_ops in a worker, where a thread may block, and hands on each line that it prints.
onmessage = async ({data: {folder, args}}) => {
  const {default: create} = await import(`${folder}/fjord_bench_ops.mjs`);
  create({arguments: args, print: (line) => postMessage({line}), printErr: (error) => postMessage({error}), onExit: (code) => postMessage({code})});
};
