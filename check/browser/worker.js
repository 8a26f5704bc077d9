// Trains in a Worker and posts what came of it.
import {train} from './network.js';

onmessage = async ({data: epochs}) => {
  try {
    postMessage(await train(epochs));
  } catch (error) {
    postMessage({error: error.message});
  }
};
