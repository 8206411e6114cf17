/**
 * Chooses variants of kernels by measuring them on the device, the first time that a kernel is met in about this shape,
 * and remembers what it chose.
 *
 * Variants differ in the order of their sums, so a choice decides the last bits of a result. What must repeat bit for
 * bit keeps the choices it was made with in a store of its own, ahead of the one that all runs share.
 */
import {
  ableVariants,
  defaultVariant,
  type KernelCase,
  type Params,
  type RunnableKernel,
  type Variant,
} from '../../kernels/spec.ts';
import type { GpuContext } from './context.ts';
import { roundedShape, TunerKeys } from './tunerKey.ts';
import { type RaceOptions, raceVariants } from './tunerRace.ts';

/** Decides which variant of a kernel a program runs. */
export interface VariantChooser {
  /** The variant for a kernel at these parameters. */
  choose<P extends Params>(spec: RunnableKernel<P>, params: P): Promise<Variant<P>>;
}

/** What was measured under a key. */
export interface TuningRecord {
  /** Label of the variant that was chosen. */
  readonly variant: string;
  /** Median milliseconds of a dispatch: its own, and those of the default variant. */
  readonly ms: number;
  readonly defaultMs: number;
}

/** Keeps records between processes, or within one run. */
export interface TuningStore {
  /** What is known under a key. */
  get(key: string): TuningRecord | undefined;
  /** Resolves when the record is kept. */
  set(key: string, record: TuningRecord): Promise<void>;
}

/** One choice that was measured just now. */
export interface TuningReport extends TuningRecord {
  readonly kernel: string;
  /** Its shape to the nearest powers of two. */
  readonly shape: string;
}

/** How kernels are tuned, and who is told. */
export interface TunerOptions extends RaceOptions {
  /** Version of the package. */
  readonly version: string;
  /** Ask the stores for nothing: measure everything once more. */
  readonly afresh?: boolean;
  /** Told of a kernel and its shape before it is measured. */
  readonly onStart?: (kernel: string, shape: string) => void;
  /** Told of each choice. */
  readonly onTuned?: (report: TuningReport) => void;
}

/** A case whose bindings take more than this is not measured: the default is taken. */
const mostBytes = 2 ** 30;

/** The defaults that each kernel states for classes of adapters. */
export function defaultChooser({ profile }: Pick<GpuContext, 'profile'>): VariantChooser {
  return { choose: async (spec, params) => defaultVariant(spec, profile, params) };
}

/** Takes what was chosen before, and measures nothing: the default where nothing was chosen. */
export class RecordedChooser implements VariantChooser {
  private readonly keys: TunerKeys;

  /** @param version of the package that made the records */
  constructor(
    private readonly gpu: Pick<GpuContext, 'adapter' | 'profile'>,
    private readonly records: ReadonlyMap<string, TuningRecord>,
    version: string,
  ) {
    this.keys = new TunerKeys(gpu.adapter, version);
  }

  async choose<P extends Params>(spec: RunnableKernel<P>, params: P): Promise<Variant<P>> {
    const able = ableVariants(spec, this.gpu.profile, params);
    const record = this.records.get(await this.keys.keyOf(spec, params, able));
    return able.find(({ label }) => label === record?.variant) ?? defaultVariant(spec, this.gpu.profile, params);
  }
}

/**
 * Races the variants of each kernel at the shapes that programs use, and takes the fastest.
 * @example
 * engine.variantChooser = new Tuner(gpu, [], { version: '1' });
 */
export class Tuner implements VariantChooser {
  private readonly keys: TunerKeys;
  private readonly chosen = new Map<string, Promise<TuningRecord>>();
  /** Measurements wait for each other: two at once would measure neither. */
  private last: Promise<unknown> = Promise.resolve();

  /** @param stores the first that knows a key decides; what it says is handed to the others */
  constructor(
    private readonly gpu: GpuContext,
    private readonly stores: readonly TuningStore[],
    private readonly options: TunerOptions,
  ) {
    this.keys = new TunerKeys(gpu.adapter, options.version);
  }

  /**
   * The default where there is nothing to choose from, or no inputs to measure the kernel on.
   * @throws {ProxmoError} `gpu-error`
   */
  async choose<P extends Params>(spec: RunnableKernel<P>, params: P): Promise<Variant<P>> {
    const kernelCase = caseForShape(spec, params);
    return kernelCase ? this.tune(spec, kernelCase) : defaultVariant(spec, this.gpu.profile, params);
  }

  /** The same for a case with inputs of its own. @throws {ProxmoError} `gpu-error` */
  async tune<P extends Params>(spec: RunnableKernel<P>, kernelCase: KernelCase<P>): Promise<Variant<P>> {
    const { params } = kernelCase;
    const first = defaultVariant(spec, this.gpu.profile, params);
    const able = ableVariants(spec, this.gpu.profile, params);
    if (able.length < 2 || !isMeasurable(spec, params, first)) return first;
    const key = await this.keys.keyOf(spec, params, able);
    let choice = this.chosen.get(key);
    if (!choice) {
      const others = able.filter((variant) => variant !== first);
      choice = this.decide(key, { spec, kernelCase, variants: [first, ...others] } as unknown as Question);
      this.chosen.set(key, choice);
    }
    const { variant } = await choice;
    return able.find(({ label }) => label === variant) ?? first;
  }

  /** What was chosen for these parameters so far; null if nothing was measured. */
  async recordOf<P extends Params>(spec: RunnableKernel<P>, params: P): Promise<TuningRecord | null> {
    const key = await this.keys.keyOf(spec, params, ableVariants(spec, this.gpu.profile, params));
    return (await this.chosen.get(key)) ?? null;
  }

  private async decide(key: string, question: Question): Promise<TuningRecord> {
    const isAble = (record: TuningRecord | undefined) =>
      question.variants.some(({ label }) => label === record?.variant);
    const known = this.options.afresh ? undefined : this.stores.map((store) => store.get(key)).find(isAble);
    const record = known ?? (await this.measure(question));
    for (const store of this.stores) if (!known || store.get(key) === undefined) await store.set(key, record);
    return record;
  }

  private measure({ spec, kernelCase, variants }: Question): Promise<TuningRecord> {
    const run = this.last.then(async () => {
      const shape = roundedShape(spec, kernelCase.params);
      this.options.onStart?.(spec.name, shape);
      const { winner, ms, defaultMs } = await raceVariants(this.gpu, spec, variants, kernelCase, this.options);
      const record = { variant: winner.label, ms, defaultMs };
      this.options.onTuned?.({ kernel: spec.name, shape, ...record });
      return record;
    });
    this.last = run.catch(() => undefined);
    return run;
  }
}

interface Question {
  readonly spec: RunnableKernel;
  readonly kernelCase: KernelCase;
  /** Those that the adapter can run, the default first. */
  readonly variants: readonly [Variant, ...Variant[]];
}

/** A case for a shape that a program runs; null where inputs cannot be told from it. */
export function caseForShape<P extends Params>(spec: RunnableKernel<P>, params: P): KernelCase<P> | null {
  if (spec.tuningCase) return spec.tuningCase(params);
  const readsIndices = Object.values(spec.bindings).some(({ access, dtype }) => access !== 'write' && dtype === 'u32');
  return readsIndices ? null : { params };
}

/** Whether it does anything, and its buffers fit beside those of the run that it is measured for. */
function isMeasurable<P extends Params>(spec: RunnableKernel<P>, params: P, variant: Variant<P>): boolean {
  const scalars = Object.values(spec.sizes(params)).reduce((sum, size) => sum + size, 0);
  return 4 * scalars <= mostBytes && spec.dispatch(params, variant.constants).every((count) => count > 0);
}
