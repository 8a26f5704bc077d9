const tf = require('fjord');

import('./train.js').then(({train}) => train(tf)).then((result) => console.log(JSON.stringify(result)));
