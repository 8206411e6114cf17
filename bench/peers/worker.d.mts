import type { Column } from './cases.mjs';

export interface OpenCase {
  readonly run: () => Promise<unknown>;
  readonly read: () => Promise<ArrayLike<number>>;
}

export function serve(open: (column: Column) => Promise<OpenCase>, adapter: () => string): void;
