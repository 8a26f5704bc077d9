// The study's server, as docs/study.md has its API, for the extension.
//
//   const server = {address: 'http://127.0.0.1:8000', token: ''};
//   const trial = await next(server);                                 // or null
//   await post(server, trial.id, 'result', {outcome: 'error', message: 'timeout: ..'});

// A server that is busy answers later; one that is gone does not.
const kPatience = 20e3;

/** {address, token} of what a person enters: an address, or the link with the token that the server printed. */
export function serverOf(text, token) {
  const {protocol, origin, searchParams} = new URL(text.includes('://') ? text : `http://${text}`);
  if (protocol !== 'http:' && protocol !== 'https:') throw new Error('The address of a server begins with http:// or https://');
  return {address: origin, token: searchParams.get('token') ?? token};
}

/** What the extension may reach once the person allows it. Firefox has no ports in its patterns. */
export function originsOf({address}) {
  const {protocol, host, hostname} = new URL(address);
  return [`${protocol}//${chrome.runtime.getURL('').startsWith('moz-') ? hostname : host}/*`];
}

/** The address of a page; the server keeps the token in a cookie. */
export function pageOf({address, token}, path, query = {}) {
  const all = new URLSearchParams(token ? {...query, token} : query);
  return `${address}${path}${all.size ? `?${all}` : ''}`;
}

async function request({address, token}, path, options = {}) {
  const headers = {...options.headers, ...(token && {Authorization: `Bearer ${token}`})};
  const response = await fetch(address + path, {...options, headers, signal: AbortSignal.timeout(kPatience)}).catch(() => {
    throw new Error(`${address} does not answer: is the study's server running?`);
  });
  if (response.ok) return response;
  const told = await response.json().catch(() => null);
  throw Object.assign(new Error(told?.error?.message ?? `${path}: ${response.status} ${response.statusText}`), {status: response.status});
}

/** The next trial that nobody has taken, or null. */
export const next = async (server) => (await request(server, '/api/next')).json();

/** Whether the server still knows a trial. */
export const knows = (server, id) =>
  request(server, `/api/trials/${id}`).then(
    () => true,
    (error) => {
      if (error.status === 404) return false;
      throw error;
    },
  );

/** Sends `value` as the result or the usage of a trial; resolves to the status of the answer. */
export function post(server, id, what, value) {
  const options = {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(value)};
  return request(server, `/api/trials/${id}/${what}`, options).then(
    (response) => response.status,
    (error) => {
      // It has no such thing, or no more: that is for the caller.
      if ([404, 405, 409].includes(error.status)) return error.status;
      throw error;
    },
  );
}
