import { describe, expect, it } from 'vitest';
import { settingAliases } from '../../src/rl/config/aliases.ts';
import { trainConfigSchema } from '../../src/rl/config.ts';
import { loadConfig } from '../../src/runs/config.ts';
import { knownPaths } from '../../src/runs/schemaKeys.ts';

const refusal = async (assignment: string): Promise<string> => {
  const error = await loadConfig(trainConfigSchema, { set: [assignment] }).then(
    () => null,
    (cause: Error) => cause,
  );
  return error?.message ?? 'accepted';
};

describe('names of settings in other programs', () => {
  it.each<[string, string]>([
    ['lr=1e-4', '`training.learningRate`'],
    ['learning_rate=1e-4', '`training.learningRate` or `warmStart.learningRate`'],
    ['warmStart.lr=1e-4', '`warmStart.learningRate`'],
    ['training.lr=1e-4', '`training.learningRate`'],
    ['optimizer=adamw', '`optimiser`'],
    ['optimizer.lr=1e-4', '`training.learningRate`'],
    ['optimizer.beta1=0.9', '`optimiser.beta1`'],
    ['optimizer.weight_decay=0', '`optimiser.weightDecay`'],
    ['estimator=grpo', '`advantages.estimator`'],
    ['algorithm.adv_estimator=gigpo', '`advantages.estimator`'],
    ['batch_size=32', '`training.tasks`'],
    ['group_size=8', '`training.groupSize`'],
    ['actor_rollout_ref.rollout.n=8', '`training.groupSize`'],
    ['gamma=0.99', '`advantages.gamma`'],
    ['kl_coef=0.01', '`loss.klCoefficient`'],
    ['loss.kl_coef=0.01', '`loss.klCoefficient`'],
    ['clip_eps=0.2', '`loss.clipLow` or `loss.clipHigh`'],
    ['beta=0.04', '`loss.klCoefficient` or `advantages.beta`'],
    ['sft.epochs=2', '`warmStart.epochs`'],
    ['training.max_steps=2', '`training.iterations`'],
    ['gradient_checkpointing=true', '`optimiser.checkpointing`'],
    ['lora_r=8', '`lora.rank`'],
    ['temperature=1', '`sampling.temperature`, `advantages.temperature` or `evaluation.temperature`'],
  ])('%s is refused with the right one', async (assignment, meant) => {
    expect(await refusal(assignment)).toMatch(/^`[\w.]+` \(--set .*\) is not a known key; did you mean .*\?$/);
    expect(await refusal(assignment)).toContain(`did you mean ${meant}?`);
  });

  it('are those of settings that there are, and none is a setting by itself', () => {
    const paths = knownPaths(trainConfigSchema);
    for (const [setting, names] of Object.entries(settingAliases)) {
      expect(paths).toContain(setting);
      for (const name of names.split(' ')) expect(paths).not.toContain(name);
    }
  });
});
