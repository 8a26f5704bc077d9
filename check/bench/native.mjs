// Programs that train natively beside the page: one line of JSON asks, one line answers (native.py says what).
//
//   const natives = await startNatives();
//   await natives['TensorFlow (native)']({create: cell, data: base64});
//   natives['TensorFlow (native)'].stop();
import {spawn} from 'node:child_process';
import {existsSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {createInterface} from 'node:readline';
import {build, folderOf, Failure, root} from '../../tools/build.mjs';

/** A function that sends a request to the program and resolves to its answer. */
function converse(command, args, folder) {
  const child = spawn(command, args, {stdio: ['pipe', 'pipe', 'pipe']});
  const waiting = [];
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (said = (said + text).slice(-2000)));
  createInterface({input: child.stdout}).on('line', (line) => waiting.shift()?.resolve(JSON.parse(line)));
  // One that has ended answers nothing any more: what is asked later fails too, for the same reason.
  let ended;
  const end = (why) => {
    ended ??= new Error(`${command} ${why}: ${said.trim().split('\n').at(-1)}`);
    waiting.splice(0).forEach(({reject}) => reject(ended));
  };
  // A line written to it comes back as an error of the pipe; 'close' says why.
  child.stdin.on('error', () => {});
  child.on('error', (error) => end(error.message));
  child.on('close', (code) => end(`ended with ${code}`));
  const ask = async ({data, ...request}) => {
    if (ended) throw ended;
    if (data) {
      request.data = path.join(folder, 'data.bin');
      writeFileSync(request.data, Buffer.from(data, 'base64'));
    }
    return new Promise((resolve, reject) => {
      waiting.push({resolve, reject});
      child.stdin.write(`${JSON.stringify(request)}\n`);
    });
  };
  ask.stop = () => child.stdin.end();
  return ask;
}

/** Fjord, built for this very processor, and TensorFlow. */
export async function startNatives() {
  await build('bench', ['fjord_bench_train']);
  const python = `${process.env.FJORD_CACHE ?? `${os.homedir()}/.cache/fjord`}/python/bin/python`;
  if (!existsSync(python)) throw new Failure(`There is no ${python}: run ./dev setup`);
  const folder = mkdtempSync(path.join(os.tmpdir(), 'fjord-bench-'));
  process.on('exit', () => rmSync(folder, {recursive: true, force: true}));
  return {
    'Fjord (native)': converse(`${folderOf('bench')}/fjord_bench_train`, [], folder),
    'TensorFlow (native)': converse(python, [`${root}check/bench/native.py`], folder),
  };
}
