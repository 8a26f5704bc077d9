// Python environments of the benchmarks, made at their first use in the folder that setup uses.
import {execFileSync} from 'node:child_process';
import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import os from 'node:os';
import {Failure, root} from '../../tools/build.mjs';

const cache = process.env.FJORD_CACHE ?? `${os.homedir()}/.cache/fjord`;

/** The Python that setup makes, with TensorFlow. */
export function goldenPython() {
  const python = `${cache}/python/bin/python`;
  if (!existsSync(python)) throw new Failure(`There is no ${python}: run ./dev setup`);
  return python;
}

/** A Python with what check/bench/NAME.requirements.txt says; `what` tells a person what is being installed. */
export function pythonWith(name, what) {
  const folder = `${cache}/${name}-python`;
  const wanted = `${root}check/bench/${name}.requirements.txt`;
  const made = `${folder}/made`;
  if (!existsSync(made) || readFileSync(made, 'utf8') !== readFileSync(wanted, 'utf8')) {
    console.log(`making a Python environment with ${what}`);
    execFileSync('/usr/bin/python3', ['-m', 'venv', '--clear', folder], {stdio: 'inherit'});
    execFileSync(`${folder}/bin/python`, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', wanted], {stdio: 'inherit'});
    writeFileSync(made, readFileSync(wanted));
  }
  return `${folder}/bin/python`;
}
