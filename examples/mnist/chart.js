// Accuracy and loss as the cross-section of a fjord: a ridge above the waterline, water below it.
//
//   const chart = createChart(canvas);
//   chart.show({loss, accuracy, tests: [0.97, 0.98], epochs: 5});   // kPerEpoch points an epoch; draws with the next frame
//
// Both scales are logarithmic. Heights are "nines": 90 % is one unit high, 99 % two. Depths are decades of loss below 3, a
// little more than the ln 10 = 2.3 of a network that guesses. Networks that come far get a scale with one more of each.
import {createCanvas, line} from '../page.js';

export const kPerEpoch = 100;

const kSurface = 3;
const height = (accuracy) => -Math.log10(1 - Math.min(0.9999, accuracy));
const depth = (loss) => Math.max(0, Math.log10(kSurface / Math.max(loss, 1e-6)));

const kWaterline = 0.6;

/** Each value a running mean over about ten points, so that the shape shows and not the noise. */
function smooth(values) {
  let mean = values[0];
  return values.map((value) => (mean += 0.12 * (value - mean)));
}

export function createChart(canvas) {
  let data = {loss: [], accuracy: [], tests: [], epochs: 5};
  const {context, queue} = createCanvas(canvas, draw);

  function draw({width, full, font, color, pointer}) {
    const view = {context, width, full, color, pointer, font: `11px ${font}`, ...scales(width, full)};
    drawRock(view);
    drawGrid(view, data);
    if (data.loss.length) {
      drawWater(view);
      drawRidge(view);
    }
    drawWaterline(view);
    drawTests(view, data.tests);
    if (pointer !== null && data.loss.length) drawReadout(view);
  }

  /** Where things are: the curves start right of the labels and end at the column's right edge. */
  function scales(width, full) {
    const margin = Math.max(20, (width - 1160) / 2);
    const left = margin + 40;
    const right = width - margin;
    const water = Math.round(full * kWaterline);
    const sky = water - 26;
    const [least, most] = data.loss.length ? [Math.min(...smooth(data.loss)), Math.max(...smooth(data.accuracy))] : [1, 0];
    const deepest = depth(least < 0.011 ? 0.001 : 0.009);
    const highest = height(Math.max(most, ...data.tests) > 0.993 ? 0.9995 : 0.995);
    return {
      left,
      right,
      water,
      x: (point) => left + ((right - left) * point) / (data.epochs * kPerEpoch),
      up: (accuracy) => water - (sky * Math.min(highest, height(accuracy))) / highest,
      contours: [0.5, 0.9, 0.99, 0.999].filter((accuracy) => height(accuracy) < highest),
      down: (loss) => water + ((full - 44 - water) * Math.min(deepest, depth(loss))) / deepest,
    };
  }

  function drawRidge(view) {
    const far = context.createLinearGradient(0, view.up(0.9999), 0, view.water);
    far.addColorStop(0, view.color('ridge-far'));
    far.addColorStop(1, view.color('mist'));
    area(view, data.accuracy, view.up, far);
    const near = context.createLinearGradient(0, view.up(0.99), 0, view.water);
    near.addColorStop(0, view.color('ridge'));
    near.addColorStop(1, view.color('ridge-foot'));
    area(view, smooth(data.accuracy), view.up, near, view.color('ridge-line'));
  }

  function drawWater(view) {
    const water = context.createLinearGradient(0, view.water, 0, view.full);
    water.addColorStop(0, view.color('water'));
    water.addColorStop(1, view.color('water-deep'));
    area(view, smooth(data.loss), view.down, water, view.color('water-line'));
  }

  /** Fills between the waterline and the curve; a curve that has arrived goes on to the page's edge. */
  function area(view, values, place, fill, line) {
    const complete = values.length >= data.epochs * kPerEpoch;
    context.beginPath();
    context.moveTo(view.left, view.water);
    context.lineTo(view.left, place(values[0]));
    values.forEach((value, i) => context.lineTo(view.x(i + 1), place(value)));
    const end = complete ? view.width : view.x(values.length);
    context.lineTo(end, place(values.at(-1)));
    context.lineTo(end, view.water);
    context.fillStyle = fill;
    context.fill();
    if (!line) return;
    context.beginPath();
    values.forEach((value, i) => context.lineTo(view.x(i + 1), place(value)));
    if (complete) context.lineTo(end, place(values.at(-1)));
    context.strokeStyle = line;
    context.lineWidth = 1.75;
    context.lineJoin = 'round';
    context.stroke();
  }

  function drawReadout(view) {
    const point = Math.round(((view.pointer - view.left) / (view.right - view.left)) * data.epochs * kPerEpoch);
    const i = Math.min(data.loss.length, Math.max(1, point)) - 1;
    const x = view.x(i + 1);
    const [loss, accuracy] = [smooth(data.loss)[i], smooth(data.accuracy)[i]];
    context.strokeStyle = view.color('ink');
    context.globalAlpha = 0.35;
    line(context, x, 14, x, view.water);
    context.strokeStyle = view.color('foam');
    line(context, x, view.water, x, view.full - 30);
    context.globalAlpha = 1;
    const text = (words, y, color) => {
      const wide = context.measureText(words).width;
      context.fillStyle = view.color(color);
      context.fillText(words, Math.min(view.width - wide - 12, Math.max(12, x + 8)), y);
    };
    context.font = `600 12px ${view.font.slice(5)}`;
    text(`Epoch ${((i + 1) / kPerEpoch).toFixed(1)}: ${(100 * accuracy).toFixed(1)} %`, 20, 'ink');
    text(`Loss ${loss.toPrecision(2)}`, view.full - 36, 'foam');
  }

  return {
    show(next) {
      data = next;
      queue();
    },
  };
}

/** The ground that training carves the water into. */
function drawRock({context, width, full, water, color}) {
  context.fillStyle = color('deep');
  context.fillRect(0, water, width, full - water);
}

function drawWaterline({context, width, water, color}) {
  context.strokeStyle = color('water-line');
  line(context, 0, water + 0.5, width, water + 0.5);
}

function drawGrid(view, {epochs}) {
  const {context, left, right, full, water} = view;
  context.font = view.font;
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  const contour = (y, label, ink) => {
    context.strokeStyle = context.fillStyle = view.color(ink);
    context.globalAlpha = 0.22;
    context.setLineDash([1, 4]);
    line(context, left, Math.round(y) + 0.5, right, Math.round(y) + 0.5);
    context.setLineDash([]);
    context.globalAlpha = 0.85;
    context.fillText(label, left - 8, y);
    context.globalAlpha = 1;
  };
  for (const accuracy of view.contours) contour(view.up(accuracy), `${+(accuracy * 100).toFixed(1)} %`, 'ink-soft');
  for (const loss of [1, 0.1, 0.01]) contour(view.down(loss), `${loss}`, 'foam-soft');
  context.textAlign = 'center';
  context.fillStyle = context.strokeStyle = view.color('foam-soft');
  // As many epochs as there is room to name.
  const every = Math.ceil(epochs / Math.max(1, Math.floor((right - left) / 44)));
  for (let epoch = every; epoch <= epochs; epoch += every) {
    const x = view.x(epoch * kPerEpoch);
    line(context, x, water, x, water + 5);
    context.fillText(`${epoch}`, Math.min(x, right - 4), full - 16);
  }
  context.textAlign = 'left';
  context.fillText('epoch', left, full - 16);
}

function drawTests(view, tests) {
  const {context, right} = view;
  context.font = `600 12px ${view.font.slice(5)}`;
  context.textBaseline = 'alphabetic';
  const room = tests.length > 1 ? view.x(kPerEpoch) - view.left : Infinity;
  tests.forEach((accuracy, i) => {
    const [x, y] = [view.x((i + 1) * kPerEpoch), view.up(accuracy)];
    context.beginPath();
    context.arc(x, y, 4.5, 0, 7);
    context.fillStyle = view.color('beacon');
    context.fill();
    context.lineWidth = 2;
    context.strokeStyle = view.color('sky');
    context.stroke();
    if (room < 54 && i !== tests.length - 1) return;
    context.textAlign = x > right - 24 ? 'right' : 'center';
    label(view, `${(100 * accuracy).toFixed(1)} %`, x > right - 24 ? right + 5 : x, y - 11);
  });
  context.textAlign = 'left';
}

/** Words that read on the sky and on the ridge: a rim in the colour of the sky around them. */
function label({context, color}, words, x, y) {
  context.lineJoin = 'round';
  context.lineWidth = 4;
  context.strokeStyle = color('sky');
  context.strokeText(words, x, y);
  context.fillStyle = color('ink');
  context.fillText(words, x, y);
}
