// Loads a framework into the page, with the time for downloading apart from the time for evaluating.
//
//   const {download, parse, library} = await loadLibrary(['@tensorflow/tfjs/dist/tf.min.js'], false);      // ms, ms
//
// Classic scripts run in their order. Of modules the first is imported, and given as `library`; the others are what it loads
// by itself, and only downloaded beforehand, as is what is no script (.wasm).

/** "PACKAGE/path", or an address of the server's own ("/fjord/fjord.js"). */
const addressOf = (file) => (file.startsWith('/') ? file : `/packages/${file}`);
const isScript = (file) => /\.m?js$/.test(file);

/** Past the browser's cache: bytes. */
async function download(address) {
  const response = await fetch(address, {cache: 'reload'});
  if (!response.ok) throw new Error(`${address}: ${response.status} ${response.statusText}; is the package installed (npm ci)?`);
  return response.arrayBuffer();
}

/** From when the first file was asked for until the last one was there, as the browser's network tells it. */
function span(addresses) {
  const entries = addresses.map((address) => performance.getEntriesByName(new URL(address, location.href).href).at(-1));
  if (!entries.every(Boolean)) return null;
  return Math.max(...entries.map((entry) => entry.responseEnd)) - Math.min(...entries.map((entry) => entry.startTime));
}

/** Runs a script that is there already: from a blob, so that no network is in its time. */
function evaluate(address, bytes) {
  const source = URL.createObjectURL(new Blob([bytes], {type: 'text/javascript; charset=utf-8'}));
  const script = Object.assign(document.createElement('script'), {src: source});
  return new Promise((resolve, reject) => {
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${address} is not a script that this browser can run`));
    document.head.append(script);
  }).finally(() => URL.revokeObjectURL(source));
}

export async function loadLibrary(files, module) {
  const addresses = files.map(addressOf);
  const begun = performance.now();
  const bytes = await Promise.all(addresses.map(download));
  const whole = performance.now() - begun;
  const downloaded = files.length ? span(addresses) ?? whole : 0;

  const start = performance.now();
  let library;
  if (module || files[0]?.endsWith('.mjs')) {
    library = await import(addresses[0]);
  } else {
    for (const [i, address] of addresses.entries()) if (isScript(files[i])) await evaluate(address, bytes[i]);
  }
  return {download: downloaded, parse: performance.now() - start, library};
}
