// A page that trains, and a worker of its own that does the same.
import * as tf from 'fjord';
import {train} from './train.js';

const told = (error) => ({error: String(error)});
const worker = new Worker(new URL('./in-worker.js', import.meta.url), {type: 'module'});
const fromWorker = new Promise((resolve) => {
  worker.onmessage = ({data}) => resolve(data);
  worker.onerror = (event) => resolve({error: `the worker failed: ${event.message}`});
  worker.postMessage('train');
});
globalThis.result = {page: await train(tf).catch(told), worker: await fromWorker};
