// A network as those frameworks see it that have dense layers alone.
import {Unsupported} from './unsupported.js';

/** {sizes: [784, .., 10], hidden, output, rate, batch, weights: [{kernel [in*out], bias [out]}, ..]} */
export function denseOf({input, layers, hidden, output, rate, batch}) {
  const other = layers.find(({type}) => type !== 'dense');
  if (other) throw new Unsupported(`there is no layer ${other.type} in this adapter`);
  return {sizes: [...input, ...layers.map(({kernel}) => kernel[1])], hidden, output, rate, batch, weights: layers.map(({weights}) => weights)};
}

/** How many numbers an array of this shape has. */
export const sizeOf = (shape) => shape.reduce((a, b) => a * b, 1);
