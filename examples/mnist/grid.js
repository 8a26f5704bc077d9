// A grid of pictures with what the network reads in each; wrong ones are marked.
//
//   const grid = createGrid(element, (index) => ...);        // a picture was picked
//   grid.show(test, [0, 1, 2]);                              // these pictures of the set
//   grid.mark((index) => digit);                             // what the network reads
import {kPixels, kSide} from './data.js';

export function createGrid(element, onPick) {
  let tiles = [];
  let set = null;

  function makeTile(index) {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'tile';
    button.tabIndex = -1;
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = kSide;
    paint(canvas, set.images.subarray(index * kPixels, (index + 1) * kPixels));
    const guess = document.createElement('span');
    button.append(canvas, guess);
    button.addEventListener('click', () => {
      focusable(button);
      onPick(index);
    });
    return {index, button, guess, digit: -1};
  }

  // One stop for the Tab key; arrow keys move within.
  function focusable(button) {
    for (const tile of tiles) tile.button.tabIndex = tile.button === button ? 0 : -1;
  }

  element.addEventListener('keydown', (event) => {
    const at = tiles.findIndex((tile) => tile.button === document.activeElement);
    const columns = getComputedStyle(element).gridTemplateColumns.split(' ').length;
    const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns}[event.key];
    const next = tiles[at + step]?.button;
    if (at < 0 || !step) return;
    event.preventDefault();
    if (!next) return;
    focusable(next);
    next.focus();
  });

  return {
    show(pictures, indices) {
      set = pictures;
      tiles = indices.map(makeTile);
      if (tiles.length) tiles[0].button.tabIndex = 0;
      element.replaceChildren(...tiles.map((tile) => tile.button));
    },
    indices: () => tiles.map((tile) => tile.index),
    mark(read) {
      for (const tile of tiles) {
        const digit = read(tile.index);
        if (digit === tile.digit) continue;
        tile.digit = digit;
        const truth = set.labels[tile.index];
        const wrong = digit !== truth;
        tile.button.classList.toggle('wrong', wrong);
        tile.guess.textContent = wrong ? `✕ ${digit}` : `${digit}`;
        tile.button.title = wrong ? `A ${truth}, read as ${digit}` : `A ${truth}, read correctly`;
        tile.button.setAttribute('aria-label', tile.button.title);
      }
    },
  };
}

/** A picture as white ink on nothing: bytes, or numbers in 0...1 with `unit` 1. */
export function paint(canvas, pixels, unit = 255) {
  const image = new ImageData(kSide, kSide);
  for (let i = 0; i < kPixels; ++i) image.data.set([232, 244, 243, (pixels[i] * 255) / unit], 4 * i);
  canvas.getContext('2d').putImageData(image, 0, 0);
}
