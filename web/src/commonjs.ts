// The package for require() in Node, where nothing can wait: with both glues inside, the engine starts at the first use.
import fs from 'node:fs';
import os from 'node:os';
import url from 'node:url';
import threads from 'node:worker_threads';
import {filesBeside} from './beside.js';
import {provideNode} from './node.js';
import {provide} from './parts.js';
import glue from './thread.js';

export * from './index.js';

provideNode({fs, os, url, threads});
provide({
  files: filesBeside,
  threads: {
    glue,
    makeWorker: () => {
      throw new Error('this build of Fjord is for Node');
    },
  },
});
