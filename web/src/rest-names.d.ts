// Layers and activations of none of the models that web/split.mjs has tried.
export const kRestNames: readonly string[];
