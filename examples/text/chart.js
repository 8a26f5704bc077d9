// The loss as depth of water: at the surface is who guesses evenly, and the deeper it is, the better the network knows the text.
//
//   const chart = createChart(canvas);
//   chart.show({curve: {steps: [], loss: []}, unseen: [{step, loss}], steps: 2000, evenly: 4.4, frequencies: 3.1, kinds: 83});
//
// The scale is logarithmic. It draws with the next frame.
import {createCanvas, line} from '../page.js';

const kWaterline = 30;
const kFloor = 40;
const kGrid = [4, 3, 2, 1.5, 1.2, 1, 0.7, 0.5, 0.3, 0.2, 0.1];

/** Each value a running mean, so that the shape shows and not the noise. */
function smooth(values) {
  let mean = values[0];
  return values.map((value, i) => (mean += (value - mean) * Math.max(0.25, 1 / (i + 1))));
}

export function createChart(canvas) {
  let data = null;
  const {context, queue} = createCanvas(canvas, draw);

  function draw({width, full, font, color, pointer}) {
    if (!data) return;
    const loss = smooth(data.curve.loss);
    const view = {context, width, full, loss, font, color, pointer, ...scales(width, full, loss)};
    context.fillStyle = view.color('deep');
    context.fillRect(0, kWaterline, width, full - kWaterline);
    if (loss.length) drawWater(view);
    drawGrid(view);
    drawUnseen(view);
    if (pointer !== null && loss.length) drawReadout(view);
  }

  /** Where things are: the curve starts right of the labels and ends at the column's right edge. */
  function scales(width, full, loss) {
    const margin = Math.max(20, (width - 1160) / 2);
    const [left, right] = [margin + 40, width - margin];
    const least = Math.min(...loss, ...data.unseen.map((point) => point.loss), 2);
    const depth = (value) => Math.max(0, Math.log(data.evenly / Math.max(value, 1e-6)));
    const deepest = depth([1.2, 0.9, 0.5].find((floor) => least > 1.1 * floor) ?? 0.1);
    return {
      left,
      right,
      x: (step) => left + ((right - left) * step) / data.steps,
      y: (value) => kWaterline + ((full - kFloor - kWaterline) * Math.min(deepest, depth(value))) / deepest,
      lines: kGrid.filter((value) => value < 0.88 * data.evenly && depth(value) <= deepest + 1e-9 && Math.abs(Math.log(value / data.frequencies)) > 0.06),
    };
  }

  /** Fills between the surface and the curve; a curve that has arrived goes on to the page's edge. */
  function drawWater(view) {
    const {steps} = data.curve;
    const end = steps.at(-1) >= data.steps ? view.width : view.x(steps.at(-1));
    const trace = () => {
      view.loss.forEach((value, i) => context.lineTo(view.x(steps[i]), view.y(value)));
      context.lineTo(end, view.y(view.loss.at(-1)));
    };
    const water = context.createLinearGradient(0, kWaterline, 0, view.full);
    water.addColorStop(0, view.color('water'));
    water.addColorStop(1, view.color('water-deep'));
    context.beginPath();
    context.moveTo(view.left, kWaterline);
    trace();
    context.lineTo(end, kWaterline);
    context.fillStyle = water;
    context.fill();
    context.beginPath();
    context.moveTo(view.left, kWaterline);
    trace();
    context.strokeStyle = view.color('water-line');
    context.lineWidth = 1.75;
    context.lineJoin = 'round';
    context.stroke();
  }

  function drawGrid(view) {
    const {left, right, full, width} = view;
    context.strokeStyle = view.color('water-line');
    line(context, 0, kWaterline + 0.5, width, kWaterline + 0.5);
    context.font = `11px ${view.font}`;
    context.textBaseline = 'middle';
    const level = (value, label, strong) => {
      const y = Math.round(view.y(value)) + 0.5;
      context.strokeStyle = view.color('foam');
      context.globalAlpha = strong ? 0.75 : 0.16;
      context.setLineDash(strong ? [5, 4] : [1, 4]);
      line(context, left, y, right, y);
      context.setLineDash([]);
      context.globalAlpha = 1;
      context.textAlign = 'right';
      context.fillStyle = view.color(strong ? 'foam' : 'foam-soft');
      context.fillText(label, left - 8, y);
    };
    for (const value of view.lines) level(value, `${value}`, false);
    level(data.frequencies, data.frequencies.toFixed(2), true);
    const narrow = right - left < 520;
    onPill(view, narrow ? 'knowing letter frequencies' : 'knowing how frequent each character is, and nothing else', right, view.y(data.frequencies) + 13);
    context.fillStyle = view.color('ink-soft');
    context.textAlign = 'right';
    context.fillText(data.evenly.toFixed(2), left - 8, kWaterline - 9);
    context.fillText(narrow ? 'guessing evenly' : `guessing evenly among ${data.kinds} characters`, right, kWaterline - 10);
    context.fillStyle = context.strokeStyle = view.color('foam-soft');
    context.textAlign = 'center';
    // As many steps as there is room to name, at round numbers.
    const room = data.steps / Math.max(1, Math.floor((right - left) / 90));
    const power = 10 ** Math.floor(Math.log10(room));
    const every = Math.max(1, [1, 2, 5, 10].map((n) => n * power).find((n) => n >= room));
    for (let step = every; step <= data.steps; step += every) {
      line(context, view.x(step), full - 30, view.x(step), full - 26);
      context.textAlign = view.x(step) > right - 16 ? 'right' : 'center';
      context.fillText(step.toLocaleString('en'), view.x(step), full - 16);
    }
    context.textAlign = 'left';
    context.fillText('step', left, full - 16);
  }

  /** Words that read on the water and on the rock below it. */
  function onPill(view, words, right, y) {
    const wide = context.measureText(words).width + 14;
    context.fillStyle = view.color('deep');
    context.globalAlpha = 0.6;
    context.beginPath();
    context.roundRect(right - wide, y - 9, wide, 18, 9);
    context.fill();
    context.globalAlpha = 1;
    context.textAlign = 'right';
    context.fillStyle = view.color('foam');
    context.fillText(words, right - 7, y);
  }

  function drawUnseen(view) {
    context.font = `600 12px ${view.font}`;
    context.textBaseline = 'middle';
    data.unseen.forEach(({step, loss}, i) => {
      const [x, y] = [view.x(step), view.y(loss)];
      context.beginPath();
      context.arc(x, y, 4.5, 0, 7);
      context.fillStyle = view.color('beacon');
      context.fill();
      context.lineWidth = 2;
      context.strokeStyle = view.color('deep');
      context.stroke();
      if (i < data.unseen.length - 1 || !step) return;
      onPill(view, loss.toFixed(2), Math.min(x + 22, view.right + 6), y + 19);
    });
  }

  function drawReadout(view) {
    const {steps} = data.curve;
    const wanted = ((view.pointer - view.left) / (view.right - view.left)) * data.steps;
    const found = steps.findIndex((step) => step >= wanted);
    const i = found < 0 ? steps.length - 1 : found;
    const x = view.x(steps[i]);
    context.strokeStyle = view.color('foam');
    context.globalAlpha = 0.5;
    line(context, x, kWaterline, x, view.full - 30);
    context.font = `600 12px ${view.font}`;
    const words = `Step ${steps[i].toLocaleString('en')}: ${view.loss[i].toFixed(2)}`;
    const wide = context.measureText(words).width + 14;
    onPill(view, words, Math.min(view.right, Math.max(view.left + wide, x + wide + 6)), view.full - 44);
  }

  return {
    show(next) {
      data = next;
      queue();
    },
  };
}
