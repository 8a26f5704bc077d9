// Programs that train natively beside the page: one line of JSON asks, one line answers (study/subjects/native.py says what).
//
//   const natives = await startNatives({pytorch: true});
//   await natives['TensorFlow (native)']({create: network, data: folder});
//   natives['TensorFlow (native)'].stop();
import {spawn} from 'node:child_process';
import {createInterface} from 'node:readline';
import {build, folderOf, root} from '../../tools/build.mjs';
import {goldenPython, pythonWith} from './python.mjs';

/** A function that sends a request to the program and resolves to its answer. */
function converse(command, args) {
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
  const ask = async (request) => {
    if (ended) throw ended;
    return new Promise((resolve, reject) => {
      waiting.push({resolve, reject});
      child.stdin.write(`${JSON.stringify(request)}\n`);
    });
  };
  ask.stop = () => child.stdin.end();
  return ask;
}

/** Fjord, built for this very processor, TensorFlow, and PyTorch if it is asked for. */
export async function startNatives({pytorch}) {
  await build('bench', ['study_fjord_native']);
  const subjects = `${root}study/subjects`;
  const natives = {
    'Fjord (native)': converse(`${folderOf('bench')}/study_fjord_native`, ['talk']),
    'TensorFlow (native)': converse(goldenPython(), [`${subjects}/tensorflow/trial.py`, 'talk']),
  };
  if (pytorch) {
    const python = pythonWith('pytorch', "PyTorch (PyPI's package for Linux brings CUDA: 5.5 GB)");
    natives['PyTorch (native)'] = converse(python, [`${root}check/bench/native_pytorch.py`, 'talk']);
  }
  return natives;
}
