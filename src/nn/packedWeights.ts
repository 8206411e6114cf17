/**
 * Weights that stay packed on the device, as their GGUF file has them: matrices take 4.5 to 8.5 bits a value, products
 * widen them as they read (kernels/packed.ts), and all else is float32. They are frozen: a model with such weights
 * acts, and is the base of adapters (Dettmers et al., QLoRA, arXiv 2305.14314).
 */
import { isPacked, type PackedType, packedRowWords, packedTypes, widened } from '../../kernels/packed.ts';
import { ProxmoError } from '../base/errors.ts';
import type { HfModel } from '../models/hf/config.ts';
import { locateWeights } from '../models/hf/locate.ts';
import type { WeightSource } from '../models/weightSource.ts';
import type { Engine } from '../tensor/engine.ts';
import { PackedMatrix } from '../tensor/packedMatrix.ts';
import type { Shape } from '../tensor/tensor.ts';
import { type PackedParameters, ParameterSlab, type Variable } from '../tensor/variable.ts';
import { rowsOfBlocks } from './packedRows.ts';

/** Rows of a matrix that are packed alike. */
interface PackedRows {
  readonly type: PackedType;
  readonly rows: number;
}

/** Which parameters stay packed, and how: all rows of each, in order. */
export type Packing = ReadonlyMap<string, readonly PackedRows[]>;

/** How kernels call a type of ggml; null where none reads it. */
export function packedTypeOf(name: string): PackedType | null {
  const type = name.toLowerCase();
  return isPacked(type) ? type : null;
}

/**
 * The matrices of a model that can stay as the checkpoint has them: those all of whose rows are in a type that kernels
 * read. Others are widened.
 * @throws {ProxmoError} `file` as `locateWeights`
 */
export function findPacking(
  model: Pick<HfModel, 'family' | 'transformer'>,
  source: WeightSource,
  where: string,
): Packing {
  const runs = new Map<string, (PackedRows | null)[]>();
  for (const { sourceName, placement } of locateWeights(model, source, where).weights) {
    const { shape, parameter, transposed } = placement;
    if (shape.length !== 2) continue;
    const type = packedTypeOf(source.blocks?.(sourceName)?.type ?? '');
    const rows = shape[transposed ? 1 : 0]!;
    runs.set(parameter, [...(runs.get(parameter) ?? []), type && { type, rows }]);
  }
  const whole = [...runs].flatMap(([name, rows]) => {
    const packed = rows.filter((run) => run !== null);
    return packed.length === rows.length ? [[name, merged(packed)] as const] : [];
  });
  return new Map(whole);
}

/** The same where there must be some. @throws {ProxmoError} `config` if there are none, `file` as `locateWeights` */
export function packingOf(
  model: Pick<HfModel, 'family' | 'transformer'>,
  source: WeightSource,
  where: string,
): Packing {
  const packing = findPacking(model, source, where);
  if (packing.size > 0) return packing;
  const types = packedTypes.map((type) => type.toUpperCase()).join(', ');
  throw new ProxmoError(
    'config',
    `${where} has no matrix in ${types}, so nothing can stay packed; use a GGUF file with such types, or precision f32 or f16.`,
  );
}

/** Neighbours of one type together. */
function merged(runs: readonly PackedRows[]): PackedRows[] {
  const result: PackedRows[] = [];
  for (const run of runs) {
    const last = result.at(-1);
    if (last?.type === run.type) result[result.length - 1] = { type: run.type, rows: last.rows + run.rows };
    else result.push(run);
  }
  return result;
}

/** The first row of each run, and the name of its part of the slab. */
interface Run extends PackedRows {
  readonly first: number;
  readonly part: string;
}

/** The storage of packed matrices: one variable of words. */
export class PackedWeights implements PackedParameters {
  readonly parameters: readonly { readonly name: string; readonly shape: Shape; readonly decay: true }[];
  private readonly slab: ParameterSlab;
  private readonly runs: ReadonlyMap<string, readonly Run[]>;

  /** @throws {ProxmoError} `shape` as `ParameterSlab` */
  constructor(
    name: string,
    matrices: readonly { readonly name: string; readonly shape: Shape }[],
    packing: Packing,
    largestPiece: number,
  ) {
    this.parameters = matrices.map((each) => ({ name: each.name, shape: each.shape, decay: true }));
    this.runs = new Map(matrices.map((each) => [each.name, runsOf(each.name, packing.get(each.name)!)]));
    const requests = matrices.flatMap(({ name: parameter, shape: [, columns = 0] }) =>
      this.runs.get(parameter)!.map(({ part, type, rows }) => ({
        name: part,
        shape: [rows, packedRowWords(type, columns)],
        decay: true,
        initial: null,
      })),
    );
    this.slab = new ParameterSlab(name, requests, { largestPiece, dtype: 'u32' });
  }

  get variable(): Variable {
    return this.slab.variable;
  }

  get bytes(): number {
    return this.slab.bytes;
  }

  has(name: string): boolean {
    return this.runs.has(name);
  }

  parts(name: string): readonly PackedMatrix[] {
    const columns = this.columnsOf(name);
    return this.runsOf(name).flatMap(({ part, type }) =>
      this.slab.parameters
        .find((parameter) => parameter.name === part)!
        .parts.map((words) => new PackedMatrix(words, type, columns)),
    );
  }

  /**
   * Overwrites rows of a matrix, from `firstRow` on, all in one run.
   * @param blocks of whole rows, as a GGUF file has them
   */
  write(engine: Engine, name: string, firstRow: number, blocks: Uint8Array): void {
    const columns = this.columnsOf(name);
    const run = this.runsOf(name).findLast(({ first }) => first <= firstRow)!;
    const offset = this.slab.offsetOf(run.part) + (firstRow - run.first) * packedRowWords(run.type, columns);
    engine.write(this.variable, rowsOfBlocks(run.type, blocks, columns), offset);
  }

  /** `count` values of a matrix from `start` on, in float32. */
  async read(engine: Engine, name: string, start: number, count: number): Promise<Float32Array> {
    const columns = this.columnsOf(name);
    const values = new Float32Array(count);
    for (const { first, rows, type, part } of this.runsOf(name)) {
      const from = Math.max(first, Math.floor(start / columns));
      const to = Math.min(first + rows, Math.ceil((start + count) / columns));
      if (from >= to) continue;
      const pitch = packedRowWords(type, columns);
      const words = await engine.read(
        this.variable,
        this.slab.offsetOf(part) + (from - first) * pitch,
        (to - from) * pitch,
      );
      const wide = widened(type, words, to - from, columns);
      const skipped = Math.max(0, start - from * columns);
      const at = Math.max(0, from * columns - start);
      values.set(wide.subarray(skipped, skipped + Math.min(wide.length - skipped, count - at)), at);
    }
    return values;
  }

  private runsOf(name: string): readonly Run[] {
    return this.runs.get(name)!;
  }

  private columnsOf(name: string): number {
    return this.parameters.find((parameter) => parameter.name === name)!.shape[1]!;
  }
}

function runsOf(name: string, rows: readonly PackedRows[]): Run[] {
  let first = 0;
  return rows.map((run, index) => {
    const placed = { ...run, first, part: `${name} ${index}` };
    first += run.rows;
    return placed;
  });
}
