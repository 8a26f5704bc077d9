// The options of a command. One that there is not ends it with a line that says which there are.
//
//   const options = readOptions({only: {type: 'string', multiple: true}, quick: {type: 'boolean', default: false}});
import {parseArgs} from 'node:util';

export function readOptions(options) {
  try {
    return parseArgs({options}).values;
  } catch (error) {
    const there = Object.entries(options).map(([name, {type}]) => `--${name}${type === 'string' ? ' ..' : ''}`);
    console.error(`${error.message.split(/\. |\n/)[0]}: there are ${there.join(', ')}`);
    process.exit(2);
  }
}
