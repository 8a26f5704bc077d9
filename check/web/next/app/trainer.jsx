'use client';
import * as tf from 'fjord';
import {useEffect, useState} from 'react';
import {train} from './train.js';

const told = (error) => ({error: String(error)});

export default function Trainer() {
  const [loss, setLoss] = useState('...');
  useEffect(() => {
    const worker = new Worker(new URL('./in-worker.js', import.meta.url), {type: 'module'});
    const fromWorker = new Promise((resolve) => {
      worker.onmessage = ({data}) => resolve(data);
      worker.onerror = (event) => resolve({error: `the worker failed: ${event.message}`});
    });
    worker.postMessage('train');
    (async () => {
      const page = await train(tf).catch(told);
      setLoss(String(page.numbers?.[0]));
      globalThis.result = {page, worker: await fromWorker};
    })();
  }, []);
  return <output>{loss}</output>;
}
