// The harness with nothing in it: what it adds to each step that it times. No library is loaded.
export async function run(page) {
  await page.steady(async () => {}, 0);
  return {check: null, samples: page.samples};
}
