// A pad to draw a digit on: with a mouse, a finger, a pen or the keyboard.
//
//   const pad = createPad(canvas, (pixels, finished) => ...);   // 784 numbers in 0...1, or null when the pad is empty
//   pad.clear();
//
// Strokes are kept as lines, not as pixels, so that they can be drawn anew the way MNIST's digits were prepared: fitted into
// 20 x 20 and set with their centre of mass in the middle of 28 x 28 (http://yann.lecun.com/exdb/mnist/).
import {kPixels, kSide} from './data.js';

// The pad's own units: it is kSize wide however large it is shown.
const kSize = 280;
const kInk = 20;
const kStep = 10;
// The box of 20 holds the middle of the lines and half of their width on both sides.
const kBox = 20;
const kPenWidth = 2.3;
// Smaller drawings are not blown up any further: a dot stays a dot.
const kSmallest = 60;

export function createPad(canvas, onChange) {
  const context = canvas.getContext('2d');
  let strokes = [];
  let picture = null;
  let drawing = null;
  let cursor = null;
  let queued = false;

  function render() {
    const scale = canvas.width / kSize;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, kSize, kSize);
    context.strokeStyle = context.fillStyle = getComputedStyle(canvas).color;
    if (picture) drawPicture(context, picture);
    drawLines(context, strokes, kInk);
    if (cursor && document.activeElement === canvas) {
      context.beginPath();
      context.arc(cursor[0], cursor[1], cursor[2] ? kInk / 2 : kInk / 2 + 4, 0, 7);
      context.lineWidth = 2;
      context.stroke();
    }
  }

  // One redraw and one classification a frame, however fast the pen reports.
  function changed(finished) {
    if (finished) return report(true);
    if (queued) return;
    queued = true;
    requestAnimationFrame(() => {
      queued = false;
      report(false);
    });
  }

  function report(finished) {
    render();
    onChange(strokes.length ? normalise(strokes) : picture, finished);
  }

  function place(event) {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * kSize, ((event.clientY - box.top) / box.height) * kSize];
  }

  canvas.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    picture = cursor = null;
    drawing = [place(event)];
    strokes.push(drawing);
    changed(false);
  });
  canvas.addEventListener('pointermove', (event) => {
    if (!drawing) return;
    for (const part of event.getCoalescedEvents?.() ?? [event]) drawing.push(place(part));
    changed(false);
  });
  for (const type of ['pointerup', 'pointercancel']) {
    canvas.addEventListener(type, () => {
      if (!drawing) return;
      drawing = null;
      changed(true);
    });
  }

  // Arrow keys move the pen, space puts it down or lifts it, Escape or Delete starts anew.
  const moves = {ArrowLeft: [-kStep, 0], ArrowRight: [kStep, 0], ArrowUp: [0, -kStep], ArrowDown: [0, kStep]};
  canvas.addEventListener('keydown', (event) => {
    cursor ??= [kSize / 2, kSize / 4, false];
    if (moves[event.key]) {
      for (const axis of [0, 1]) cursor[axis] = Math.min(kSize - kInk, Math.max(kInk, cursor[axis] + moves[event.key][axis]));
      if (cursor[2]) strokes.at(-1).push([cursor[0], cursor[1]]);
    } else if (event.key === ' ') {
      cursor[2] = !cursor[2];
      picture = null;
      if (cursor[2]) strokes.push([[cursor[0], cursor[1]]]);
    } else if (event.key === 'Escape' || event.key === 'Delete' || event.key === 'Backspace') {
      clear();
    } else {
      return;
    }
    event.preventDefault();
    changed(!cursor?.[2]);
  });
  canvas.addEventListener('focus', render);
  canvas.addEventListener('blur', render);

  function resize() {
    const side = Math.round(canvas.clientWidth * devicePixelRatio);
    if (!side || side === canvas.width) return;
    canvas.width = canvas.height = side;
    render();
  }
  new ResizeObserver(resize).observe(canvas);

  function clear() {
    strokes = [];
    drawing = picture = cursor = null;
    report(true);
  }

  return {
    clear,
    /** Shows a picture of 784 numbers instead of a drawing. */
    show(pixels) {
      clear();
      picture = pixels;
      report(true);
    },
  };
}

function drawLines(context, strokes, width) {
  context.lineCap = context.lineJoin = 'round';
  context.lineWidth = width;
  for (const [first, ...rest] of strokes) {
    context.beginPath();
    context.moveTo(...first);
    // A line of no length still leaves a dot, for its round caps.
    if (!rest.length) context.lineTo(...first);
    for (const point of rest) context.lineTo(...point);
    context.stroke();
  }
}

function drawPicture(context, pixels) {
  const cell = kSize / kSide;
  for (let i = 0; i < kPixels; ++i) {
    if (!pixels[i]) continue;
    context.globalAlpha = pixels[i];
    // A little larger than the cell, against seams.
    context.fillRect((i % kSide) * cell, Math.floor(i / kSide) * cell, cell + 0.5, cell + 0.5);
  }
  context.globalAlpha = 1;
}

let small;

/** Lines in the pad's units as an MNIST picture: 784 numbers in 0...1. */
export function normalise(strokes) {
  small ??= new OffscreenCanvas(kSide, kSide).getContext('2d', {willReadFrequently: true});
  const points = strokes.flat();
  const [xs, ys] = [points.map((p) => p[0]), points.map((p) => p[1])];
  const [left, top] = [xs.reduce((a, b) => Math.min(a, b)), ys.reduce((a, b) => Math.min(a, b))];
  const [right, bottom] = [xs.reduce((a, b) => Math.max(a, b)), ys.reduce((a, b) => Math.max(a, b))];
  const scale = (kBox - kPenWidth) / Math.max(right - left, bottom - top, kSmallest);
  const middle = [(left + right) / 2, (top + bottom) / 2];
  // Where the point (x, y) of the pad comes to lie, with `middle` in the middle of the picture.
  const render = (shiftX, shiftY) => {
    small.setTransform(1, 0, 0, 1, 0, 0);
    small.clearRect(0, 0, kSide, kSide);
    small.setTransform(scale, 0, 0, scale, kSide / 2 - middle[0] * scale + shiftX, kSide / 2 - middle[1] * scale + shiftY);
    drawLines(small, strokes, kPenWidth / scale);
    const rgba = small.getImageData(0, 0, kSide, kSide).data;
    return Float32Array.from({length: kPixels}, (_, i) => rgba[4 * i + 3] / 255);
  };
  const pixels = render(0, 0);
  let [mass, x, y] = [0, 0, 0];
  for (let i = 0; i < kPixels; ++i) {
    mass += pixels[i];
    x += pixels[i] * ((i % kSide) + 0.5);
    y += pixels[i] * (Math.floor(i / kSide) + 0.5);
  }
  return render(kSide / 2 - x / mass, kSide / 2 - y / mass);
}
