/**
 * As `whatIf.ts`, with the step level by the device's kernels (`proximityProgram.ts`), as in training: they compute
 * similarities again each time, which a GPU does sooner than a host takes exponentials of those that it kept.
 */
import { Queue } from '../../base/queue.ts';
import type { Engine } from '../../tensor/engine.ts';
import {
  type AdvantageResult,
  checkAnchorsAlone,
  hasSoftStepLevel,
  hostAdvantages,
  ofLibrary,
} from '../advantages/estimator.ts';
import { type AdvantageOptions, resolveAdvantageOptions } from '../advantages/options.ts';
import { ProximityPrograms } from '../advantages/proximityProgram.ts';
import { centredReturns, rowReturns } from '../advantages/returns.ts';
import type { WhatIf } from './whatIf.ts';

/** One call at a time; another waits for its end. */
export class DeviceWhatIf {
  private readonly queue = new Queue();

  /** @param whatIf has the rows, and what does not change with a setting */
  constructor(
    private readonly engine: Engine,
    private readonly whatIf: WhatIf,
  ) {}

  /**
   * Advantages and both levels of each row, in the order of the rows.
   * @throws {ProxmoError} as `WhatIf.advantages`; `gpu-error`, `device-lost`
   */
  advantages(options: AdvantageOptions): Promise<AdvantageResult> {
    return this.queue.run(async () => {
      const { batch } = this.whatIf;
      const settings = ofLibrary(resolveAdvantageOptions(options));
      checkAnchorsAlone(settings);
      if (!hasSoftStepLevel(settings)) return this.whatIf.advantages(options);
      const terms = this.whatIf.terms(settings);
      // A program's temperature is fixed when it is compiled; its kernels and buffers are there already.
      const programs = new ProximityPrograms(this.engine, settings);
      try {
        const centred = centredReturns(batch, rowReturns(batch, settings));
        const step = await programs.advantages(batch, terms, centred);
        return hostAdvantages(batch, settings, () => ({ step, vocabulary: terms.vocabulary.length }));
      } finally {
        await programs.destroy();
      }
    });
  }
}
