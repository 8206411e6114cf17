/**
 * What a report knows so far: `records.jsonl`, a JSON object a line, only ever appended to. An item of a part is begun,
 * and then done or failed. One that was begun twice and never ended took its process with it both times, and counts as
 * failed. A last line without its end, which a kill leaves, is cut off.
 */
import { appendFileSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { aboutPath } from '../../base/systemErrors.node.ts';
import { parseJson } from '../../runs/json.ts';

const place = { part: z.string(), item: z.string(), time: z.string() };
const recordSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('begun'), ...place }),
  z.object({ kind: z.literal('done'), ...place, seconds: z.number(), result: z.unknown() }),
  z.object({ kind: z.literal('failed'), ...place, message: z.string() }),
  /** What failed is to be tried once more. */
  z.object({ kind: z.literal('again'), ...place }),
]);
type ReportRecord = z.output<typeof recordSchema>;

/** How an item stands. */
export type ItemState =
  | { readonly kind: 'open'; readonly attempts: number }
  | { readonly kind: 'done'; readonly seconds: number; readonly result: unknown }
  | { readonly kind: 'failed'; readonly message: string };

export interface Failure {
  readonly part: string;
  readonly item: string;
  readonly message: string;
}

const untouched: ItemState = { kind: 'open', attempts: 0 };
const mostAttempts = 2;

export class Records {
  private readonly states = new Map<string, Map<string, ItemState>>();
  private readonly path: string;

  /**
   * Reads what there is in a report's folder.
   * @throws {ProxmoError} `file` if a whole line is no record
   */
  constructor(dir: string) {
    this.path = join(dir, 'records.jsonl');
    this.read();
  }

  /** Reads once more, after another process may have written. @throws {ProxmoError} `file` */
  read(): void {
    this.states.clear();
    const bytes = this.bytes();
    const end = bytes.lastIndexOf(10) + 1;
    const lines = bytes.subarray(0, end).toString('utf8').split('\n').slice(0, -1);
    for (const [index, line] of lines.entries())
      this.apply(parseJson(line, recordSchema, `${this.path} line ${index + 1}`, 'name a new folder by --out'));
    if (end < bytes.length) truncateSync(this.path, end);
  }

  stateOf(part: string, item: string): ItemState {
    return this.states.get(part)?.get(item) ?? untouched;
  }

  /** What an item came to; undefined if it is not done. */
  resultOf(part: string, item: string): unknown {
    const state = this.stateOf(part, item);
    return state.kind === 'done' ? state.result : undefined;
  }

  /** Items of a part that were begun at least, in that order. */
  itemsOf(part: string): ReadonlyMap<string, ItemState> {
    return this.states.get(part) ?? new Map();
  }

  get failures(): Failure[] {
    return [...this.states].flatMap(([part, items]) =>
      [...items].flatMap(([item, state]) => (state.kind === 'failed' ? [{ part, item, message: state.message }] : [])),
    );
  }

  /** Items that were begun and have no end. */
  underWay(part: string): string[] {
    return [...this.itemsOf(part)].flatMap(([item, state]) =>
      state.kind === 'open' && state.attempts > 0 ? [item] : [],
    );
  }

  begin(part: string, item: string): void {
    this.append({ kind: 'begun', part, item, time: now() });
  }

  done(part: string, item: string, seconds: number, result: unknown): void {
    this.append({ kind: 'done', part, item, time: now(), seconds, result });
  }

  failed(part: string, item: string, message: string): void {
    this.append({ kind: 'failed', part, item, time: now(), message });
  }

  /** What is under way had too little time, and was not at fault. */
  excuse(part: string): void {
    for (const item of this.underWay(part)) this.append({ kind: 'again', part, item, time: now() });
  }

  /** Opens what failed. */
  tryAgain(): void {
    for (const { part, item } of this.failures) this.append({ kind: 'again', part, item, time: now() });
  }

  private append(record: ReportRecord): void {
    try {
      appendFileSync(this.path, `${JSON.stringify(record)}\n`);
    } catch (error) {
      throw aboutPath(error, this.path);
    }
    this.apply(record);
  }

  private apply(record: ReportRecord): void {
    const items = this.states.get(record.part) ?? new Map<string, ItemState>();
    this.states.set(record.part, items);
    items.set(record.item, next(items.get(record.item) ?? untouched, record));
  }

  private bytes(): Buffer {
    try {
      return readFileSync(this.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
      throw new ProxmoError('file', `${this.path} cannot be read; name another folder by --out.`, { cause: error });
    }
  }
}

function next(before: ItemState, record: ReportRecord): ItemState {
  switch (record.kind) {
    case 'begun': {
      const attempts = before.kind === 'open' ? before.attempts + 1 : 1;
      return { kind: 'open', attempts };
    }
    case 'done':
      return { kind: 'done', seconds: record.seconds, result: record.result };
    case 'failed':
      return { kind: 'failed', message: record.message };
    case 'again':
      return untouched;
  }
}

/** Whether an item took its process with it so often that it is left alone. */
export function isHopeless(state: ItemState): boolean {
  return state.kind === 'open' && state.attempts >= mostAttempts;
}

function now(): string {
  return new Date().toISOString();
}
