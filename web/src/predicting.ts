// fjord/predict as an ES module.
import './starting.js';

export * from './predict.js';
