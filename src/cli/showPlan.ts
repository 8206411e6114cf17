/** The memory that work would take, planned on a device and shown before it is refused where it does not fit. */
import { openDevice } from '../gpu/device.node.ts';
import { formatMemoryPlan, type MemoryPlan } from '../rl/memoryPlan.ts';
import { checkPlan } from '../rl/planRun.node.ts';
import { Engine } from '../tensor/engine.ts';
import { standardOutput } from './output.ts';

interface PlanOptions {
  readonly adapter?: string;
  readonly json?: boolean;
}

/** How a plan is shown that is a part of something larger. */
interface Larger {
  readonly json: (memory: object) => object;
  readonly text: (memory: string) => string;
}

/** @throws {ProxmoError} `config` after a plan that does not fit */
export async function showPlan(
  { adapter, json }: PlanOptions,
  planOf: (engine: Engine) => Promise<MemoryPlan>,
  { json: asJson, text: asText }: Larger = { json: (memory) => memory, text: (memory) => memory },
): Promise<void> {
  const gpu = await openDevice(adapter);
  try {
    const plan = await planOf(new Engine(gpu));
    const { shared: _, remedies: __, ...memory } = plan;
    if (json) standardOutput.json({ adapter: gpu.adapter.name, ...asJson(memory) });
    else standardOutput.print(asText(formatMemoryPlan(plan)));
    checkPlan(plan);
  } finally {
    gpu.destroy();
  }
}
