/** What types of elements devices store. */
import type { Dtype } from '../../kernels/spec.ts';
import { ProxmoError } from '../base/errors.ts';
import type { GpuContext } from '../gpu/context.ts';

/** @throws {ProxmoError} `config` if the device cannot store it */
export function checkDtype({ adapter }: GpuContext, dtype: Dtype): void {
  if (dtype === 'f16' && !adapter.profile.features.has('shader-f16')) {
    throw new ProxmoError(
      'config',
      `${adapter.name} has no 16-bit floats (shader-f16); use precision f32, or another adapter.`,
    );
  }
}
