// What the pages have in common.
//
//   const chart = createCanvas(canvas, ({width, full, color, font, pointer}) => ...);   // paints with the next frame
//   chart.context, chart.queue();
//   describeEngine(element, {backend: 'wasm', variant: 'relaxed-simd-threads', threads: 8});
//   const bytes = await fetchBytes(url, 'The digits', (count) => ...);

// Redrawing is cheap but not free: 20 times a second is smooth for a curve that crosses the page in half a minute.
const kInterval = 50;

/** A canvas that is painted anew when it is asked for, and when its size, the pointer over it or the colours change. */
export function createCanvas(canvas, paint) {
  const context = canvas.getContext('2d');
  let pointer = null;
  let queued = false;
  let last = 0;

  function queue() {
    if (queued) return;
    queued = true;
    requestAnimationFrame(function frame(now) {
      if (now - last < kInterval) return requestAnimationFrame(frame);
      queued = false;
      last = now;
      draw();
    });
  }

  function draw() {
    const ratio = devicePixelRatio;
    const [width, full] = [canvas.clientWidth, canvas.clientHeight];
    if (!width) return;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(full * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(full * ratio);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, full);
    const style = getComputedStyle(canvas);
    paint({context, width, full, font: style.fontFamily, color: (name) => style.getPropertyValue(`--${name}`).trim(), pointer});
  }

  canvas.addEventListener('pointermove', (event) => {
    pointer = event.offsetX;
    queue();
  });
  canvas.addEventListener('pointerleave', () => {
    pointer = null;
    queue();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', queue);
  new ResizeObserver(queue).observe(canvas);
  return {context, queue};
}

export function line(context, x1, y1, x2, y2) {
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
}

/** Says what the engine runs on. */
export function describeEngine(element, {backend, variant, threads}) {
  const names = {wasm: 'WebAssembly', webgpu: 'WebGPU, WebAssembly', auto: 'WebGPU or WebAssembly'};
  const words = [names[backend], variant?.replaceAll('-', ' ').replace('simd', 'SIMD'), `${threads} thread${threads === 1 ? '' : 's'}`];
  element.textContent = words.filter(Boolean).join(' · ');
  if (crossOriginIsolated) return element.append(' · cross-origin isolated');
  element.insertAdjacentHTML(
    'beforeend',
    ` · <details><summary>not cross-origin isolated</summary><p>Browsers give shared memory, and with it threads, only to isolated
     pages. Serve this one with the headers <code>Cross-Origin-Opener-Policy: same-origin</code> and
     <code>Cross-Origin-Embedder-Policy: require-corp</code> and it trains on all your cores.</p></details>`,
  );
}

/** A file's bytes; `advance(count)` is called for each part that comes in. `what` names it where it does not come. */
export async function fetchBytes(url, what, advance) {
  const response = await fetch(url).catch(() => null);
  if (!response?.ok) throw new Error(`${what} could not be fetched: ${url} answered ${response?.status ?? 'nothing'}.`);
  const chunks = [];
  const reader = response.body.getReader();
  for (let step; !(step = await reader.read()).done; ) {
    chunks.push(step.value);
    advance(step.value.length);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}
