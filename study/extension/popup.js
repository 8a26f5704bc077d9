// The extension's window: where the server is, start, stop, and how far the walk is. What is entered is kept for the next time;
// the token until the browser closes, as the server draws a new one each time.
import {originsOf, pageOf, serverOf} from './server.js';
import {read} from './walk.js';

const form = document.querySelector('form');
const {address, token, limit, processes, start, stop} = form.elements;
const at = (selector) => document.querySelector(selector);
const kProcesses = {permissions: ['processes']};

const kStates = {
  asking: 'Waiting: allow the extension to reach the server, then press Start again.',
  running: 'Keep the tab in front: browsers slow down others.',
  finished: 'All trials are done.',
  stopped: 'Stopped. Start goes on where it was.',
  failed: 'It stopped. Start goes on where it was.',
};

function notesOf({state, message, hidden, takesUsage, lateUsage}) {
  const notes = [state === 'failed' ? '' : message, kStates[state]];
  if (hidden) notes.push(`${hidden} ran while their tab was not in front: their times are too long.`);
  if (!chrome.system?.cpu) notes.push('This browser does not let extensions read resource use.');
  if (!takesUsage) notes.push('The server does not take resource use.');
  if (lateUsage) notes.push(`Of ${lateUsage} the resource use was told after the result, and is lost.`);
  return notes.filter(Boolean);
}

const list = (selector, texts) => at(selector).replaceChildren(...texts.map((text) => Object.assign(document.createElement('li'), {textContent: text})));

function complain(text) {
  at('#problem').textContent = text;
  at('#problem').hidden = !text;
}

function draw(walk) {
  const {state, server, trial, phase, done, ok, left, problems} = walk;
  const isRunning = state === 'running';
  for (const input of [address, token, limit, start]) input.disabled = isRunning;
  stop.disabled = !isRunning && state !== 'asking';
  at('#index').hidden = !server.address;
  if (server.address) at('#index').href = pageOf(server, '/');
  if (state === 'failed') complain(walk.message);
  at('section').hidden = state === 'idle';
  const total = left === null ? null : done + Number(Boolean(trial)) + left;
  Object.assign(at('progress'), {max: total || 1, value: done});
  at('#count').textContent = `${done}${total === null ? '' : ` of ${total}`} done, ${ok} ok`;
  at('#now').textContent = trial ? [trial.name, phase].filter(Boolean).join(' · ') : '';
  list('#notes', notesOf(walk));
  at('details').hidden = !problems.length;
  at('summary').textContent = problems.length === 1 ? '1 was not ok' : `${problems.length} were not ok`;
  list('details ul', problems);
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  complain('');
  let server;
  try {
    server = serverOf(address.value.trim(), token.value.trim());
  } catch {
    return complain(`${address.value} is no address of a server: it is like http://127.0.0.1:8000`);
  }
  address.value = server.address;
  token.value = server.token;
  chrome.storage.local.set({address: server.address, limit: limit.value});
  // First: the question may close this window, and the worker hears of the answer as well.
  chrome.runtime.sendMessage({start: {server, limit: Number(limit.value)}});
  chrome.permissions.request({origins: originsOf(server)}).then((allowed) => allowed || complain(`Without that the extension cannot reach ${server.address}.`));
});
stop.addEventListener('click', () => chrome.runtime.sendMessage({stop: true}));
processes.addEventListener('change', async () => {
  if (!processes.checked) return chrome.permissions.remove(kProcesses);
  processes.checked = await chrome.permissions.request(kProcesses).catch(() => false);
  if (!processes.checked) complain('Only the developers’ channels of Chrome let extensions read processes.');
});
chrome.storage.session.onChanged.addListener(async () => draw(await read()));

const kept = await chrome.storage.local.get({address: address.value, limit: limit.value});
const walk = await read();
address.value = kept.address;
limit.value = kept.limit;
token.value = walk.server.token;
processes.checked = await chrome.permissions.contains(kProcesses).catch(() => false);
draw(walk);
