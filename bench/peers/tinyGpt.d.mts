import type { OpenCase } from './worker.mjs';

export interface TokenBatch {
  readonly tokens: Int32Array<ArrayBuffer>;
  readonly targets: Int32Array<ArrayBuffer>;
}

export const learningRate: number;
export function startValues(shapes: readonly (readonly [string, ...number[]])[]): Float32Array[];
export function trainingCase(train: (batch: TokenBatch, step: number) => Promise<number>): OpenCase;
