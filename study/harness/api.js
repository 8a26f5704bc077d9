// The server's answers; an answer that is an error is thrown with what the server says of it.
//
//   const {subjects} = await get('/api/subjects');
//   await send('POST', `/api/trials/${id}/phase`, {phase: 'steady'});

export async function request(path, options) {
  const response = await fetch(path, options).catch((error) => {
    throw new Error(`${path}: the lab's server does not answer (${error.message})`);
  });
  if (response.ok) return response;
  const text = await response.text();
  let reason = `${response.status} ${response.statusText}`;
  try {
    reason = JSON.parse(text).error.message;
  } catch {
    // Not the API's own error: the status says enough.
  }
  throw Object.assign(new Error(`${path}: ${reason}`), {status: response.status});
}

export const get = async (path) => (await request(path)).json();

/** Sends JSON; resolves to the JSON of the answer, or null where it has none. */
export async function send(method, path, value) {
  const response = await request(path, {method, headers: {'Content-Type': 'application/json'}, body: JSON.stringify(value)});
  return response.status === 204 ? null : response.json();
}
