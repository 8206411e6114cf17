/**
 * The GPU of the browser for credit under other settings: the trainer's own kernels. A bundle of its own, which the
 * page loads only where there is WebGPU.
 */
import { openBrowserDevice } from '../../../gpu/browserDevice.ts';
import { DeviceWhatIf } from '../../../rl/credit/deviceWhatIf.ts';
import type { WhatIf } from '../../../rl/credit/whatIf.ts';
import { Engine } from '../../../tensor/engine.ts';

export interface CreditDevice {
  /** The adapter's, as far as the browser tells it. */
  readonly name: string;
  on(whatIf: WhatIf): DeviceWhatIf;
}

/** @throws {ProxmoError} `no-device` */
export async function openCreditDevice(): Promise<CreditDevice> {
  const engine = new Engine(await openBrowserDevice());
  return { name: engine.gpu.adapter.name, on: (whatIf) => new DeviceWhatIf(engine, whatIf) };
}
