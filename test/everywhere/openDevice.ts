/** What `openDevice()` of `proxmo/node` opens, for platforms that have a WebGPU of their own. */
import { openDevice } from '../../src/gpu/device.node.ts';

const gpu = await openDevice();
console.log(gpu.adapter.name);
gpu.destroy();
