/** What `proxmo train` is asked for. */
import type { GpuContext } from '../../gpu/context.ts';
import type { Agree } from '../../rl/agreement.node.ts';
import type { TrainConfig } from '../../rl/config.ts';
import type { TrainEvent } from '../../rl/trainingRun.node.ts';
import type { FleetOptions } from '../fleetRun.ts';
import type { ViewOptions } from '../viewBeside.ts';

/** A run as the command line says it. */
export interface ChosenRun {
  readonly dir: string;
  readonly config: TrainConfig;
}

export interface TrainOptions extends ViewOptions, FleetOptions {
  readonly preset?: string;
  readonly env?: string;
  readonly model?: string;
  readonly init?: string;
  readonly set: readonly string[];
  readonly out?: string;
  readonly seed?: number;
  readonly seeds?: readonly number[];
  readonly resume?: string;
  readonly iterations?: Iterations;
  readonly adapter?: string;
  readonly warmStarts?: string;
  readonly plan?: boolean;
  readonly dryRun?: boolean;
  readonly trust?: boolean;
  readonly json?: boolean;
}

/** How many iterations: in all, or more than there are. */
export interface Iterations {
  readonly count: number;
  readonly isMore: boolean;
}

/** Looks at runs from outside, as a profile does. */
export interface RunObserver {
  /** Called with a run's device and folder, and waited for, before training uses them. */
  onDevice(gpu: GpuContext, dir: string): Promise<void>;
  onEvent(event: TrainEvent): void;
}

/** Who trains, and how. */
export interface Surroundings {
  readonly agree: Agree;
  readonly version: string;
  readonly program: string;
  readonly observer: RunObserver | undefined;
}
