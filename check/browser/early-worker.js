// Answers the last of the messages that were posted before it could run.
import * as tf from '/fjord/fjord.js';

const seen = [];
onmessage = ({data, ports}) => {
  seen.push(data);
  ports[0]?.postMessage({seen, sum: tf.add(1, 2).dataSync()[0]});
};
