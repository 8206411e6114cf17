/**
 * ProxMO's advantages of a large rollout, from observations as text to a number for each row: 16,384 rows of 16
 * household tasks, played at random. Once with rows of equal text sharing their baseline, and once with every row left
 * out of its own, where none can share.
 */
import { createHouseholdTaskSet } from '../../envs/household/index.ts';
import { AdvantageEstimator, type AdvantageOptions, referenceAdvantages } from '../../rl/advantages/index.ts';
import type { RolloutRow } from '../../rl/rows.ts';
import type { Engine } from '../../tensor/engine.ts';
import { Random } from '../../tensor/random.ts';
import type { OpenWorkload, Workload } from './workload.ts';

const [rowCount, tasks, steps] = [16_384, 16, 64];
/** Rollouts that runs take in turn. */
const rollouts = 2;
/** The device's baselines are float32; returns are at most 10. */
const tolerance = 1e-3;

function rolloutWorkload(suffix: string, variant: string, options: AdvantageOptions): Workload {
  return {
    name: `advantages/rows-${rowCount}${suffix}`,
    shape: `rows=${rowCount} groups=${tasks}`,
    variant,
    flops: 0,
    bytes: 0,
    open: (engine) => open(engine, options),
  };
}

async function open(engine: Engine, options: AdvantageOptions): Promise<OpenWorkload> {
  const estimator = new AdvantageEstimator(options, engine);
  const data = Array.from({ length: rollouts }, (_, seed) => playAtRandom(seed));
  const run = (round: number) => estimator.estimate(data[round % rollouts]!);
  return {
    run,
    isCorrect: async () => {
      const { advantage } = await run(0);
      return referenceAdvantages(data[0]!, options).advantage.every(
        (want, row) => Math.abs(want - advantage[row]!) < tolerance,
      );
    },
    destroy: () => void estimator.destroy(),
  };
}

/** Rows of random episodes, the tasks taking turns. */
function playAtRandom(seed: number): RolloutRow[] {
  const taskSet = createHouseholdTaskSet({ receptacles: 12, objects: 10, maxSteps: steps });
  const random = new Random(seed, 'rollout workload');
  const chosen = taskSet.tasks('train', tasks, seed);
  const environment = taskSet.createEnvironment();
  const rows: RolloutRow[] = [];
  for (let episode = 0; rows.length < rowCount; episode++) {
    const task = chosen[episode % tasks]!;
    const played: Omit<RolloutRow, 'success'>[] = [];
    let turn = environment.reset(task);
    while (!turn.done && played.length < rowCount - rows.length) {
      const { observation, admissibleActions } = turn;
      const actions = admissibleActions ?? [];
      turn = { ...turn, ...environment.step(actions[random.below(actions.length)] ?? '') };
      played.push({
        group: task.id,
        trajectory: `${episode}`,
        step: played.length,
        reward: turn.reward,
        valid: true,
        observation,
      });
    }
    rows.push(...played.map((row) => ({ ...row, success: turn.success })));
  }
  return rows;
}

export const rolloutWorkloads: readonly Workload[] = [
  rolloutWorkload('', 'equal rows together', { estimator: 'proxmo' }),
  rolloutWorkload('-apart', 'each row by itself', { estimator: 'proxmo', leaveSelfOut: true }),
];
