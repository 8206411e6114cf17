/** Which activations the backward pass finds kept: all, or those between blocks, from which it computes the rest. */
export const checkpointingModes = ['none', 'block'] as const;
export type Checkpointing = (typeof checkpointingModes)[number];
