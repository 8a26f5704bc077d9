// The package as an ES module.
import './starting.js';

export * from './index.js';
import './started.js';
