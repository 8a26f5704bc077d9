// fjord/predict as an ES module.
import './rest-beside.js';
import './starting.js';

export * from './predict.js';
import './started.js';
