/** What `proxmo model inspect` says of a run: the policy as its last checkpoint has it. */
import { locateModel } from '../../models/hub/cache.node.ts';
import { openPretrained } from '../../models/pretrained.node.ts';
import type { TransformerConfig } from '../../models/transformerConfig.ts';
import { policyConfig } from '../../rl/runConfig.node.ts';
import { outlineAdapters } from '../../rl/startingAdapters.node.ts';
import { openRun } from '../../runs/run.ts';

export interface RunFindings {
  readonly run: string;
  /** Iteration of the checkpoint. */
  readonly iteration: number;
  /** What training changes: tensors and numbers in them. */
  readonly trained: { readonly tensors: number; readonly parameters: number };
  /** Of adapters: how many projections have one, and their ranks. */
  readonly adapters: { readonly projections: number; readonly ranks: readonly number[] } | null;
  /** Path of the model that it began with; null for a policy of its own, whose sizes are `policy`. */
  readonly model: string | null;
  readonly policy: Partial<TransformerConfig> | null;
}

/** @throws {ProxmoError} `file` if the run or its checkpoint is damaged, `config` */
export async function inspectRun(dir: string): Promise<RunFindings> {
  const run = await openRun(dir);
  const config = policyConfig(run);
  const saved = await run.openCheckpoint();
  try {
    const sizes = saved.weights.map(({ shape }) => shape.reduce((product, size) => product * size, 1));
    const path = config.model === undefined ? null : await locateModel(config.model);
    return {
      run: dir,
      iteration: saved.iteration,
      trained: { tensors: sizes.length, parameters: sizes.reduce((sum, size) => sum + size, 0) },
      adapters: path === null ? null : await adaptersOf(path, config.lora),
      model: path,
      policy: path === null ? config.policy : null,
    };
  } finally {
    await saved.close();
  }
}

async function adaptersOf(
  path: string,
  settings: ReturnType<typeof policyConfig>['lora'],
): Promise<RunFindings['adapters']> {
  if (settings === null) return null;
  const opened = await openPretrained(path);
  try {
    const { sites } = await outlineAdapters(opened.model, opened.weights, settings);
    return { projections: sites.length, ranks: [...new Set(sites.map(({ rank }) => rank))] };
  } finally {
    await opened.close();
  }
}
