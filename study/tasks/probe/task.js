// Opens the library and asks it for its facts: {training, cnn, rnn, save, load, layers: [..], activations: [..],
// optimizers: [..]}. An adapter gives them, or a function that reads them where that takes a while.
export async function run(page) {
  await page.open();
  const {facts} = page.about;
  return {check: null, samples: page.samples, facts: typeof facts === 'function' ? await facts() : facts};
}
