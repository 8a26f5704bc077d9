// Layers and activations of none of the models that web/split.mjs has tried: in small letters, without underscores.
export const kRestNames: readonly string[];
