import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { FaultLog } from '../../src/envs/faults.ts';
import { createNamedTaskSet } from '../../src/envs/registry.node.ts';
import { Auditor } from '../../src/fleet/audit.ts';
import { floatsToText, textToFloats } from '../../src/fleet/codec.ts';
import { type Told, told } from '../../src/fleet/recorded.ts';
import { Policy, tokenizerFor } from '../../src/rl/policy.ts';
import { wordPolicySource } from '../../src/rl/policySource.ts';
import { playBatch } from '../../src/rl/rollout.ts';
import { tinyConfig, tinyEngine, writeTinyWorld } from '../support/tinyRun.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-audit-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The answer with each log-probability changed. */
function shifted(answer: Told, by: number): Told {
  return {
    ...answer,
    episodes: answer.episodes.map((episode) =>
      'dropped' in episode
        ? episode
        : {
            ...episode,
            steps: episode.steps.map((step) => {
              const logProbs = textToFloats(step.logProbs, step.reply.length);
              return { ...step, logProbs: floatsToText(logProbs.map((value) => value + by)) };
            }),
          },
    ),
  };
}

it('log-probabilities that the policy does not give are found out, of new workers always, and of others by chance', async () => {
  const config = tinyConfig(writeTinyWorld(folder));
  const taskSet = await createNamedTaskSet(config.environment.name);
  await using policy = new Policy(await tinyEngine(), config, wordPolicySource(config, tokenizerFor(taskSet)), taskSet);
  const controls = policy.trainingControls;
  const batch = { tasks: taskSet.tasks('train', 3, 1), firstEpisode: 0 };
  const faults = new FaultLog();
  const result = await playBatch(policy.player, taskSet, batch, { controls, firstEpisode: 0, faults });
  const answer = told(batch, result, []);
  const lie = shifted(answer, -0.3);

  let drawn = 0.5;
  const auditor = new Auditor(policy, taskSet, 0.1, () => drawn);
  const read = (what: Told) => auditor.episodesOf('w', batch, what, controls, policy.model);
  await expect(read(lie)).rejects.toThrow(
    /Log-probabilities of episode-\d differ by 0\.300? from what the policy gives/,
  );
  // Other adapters round otherwise.
  expect((await read(shifted(answer, -0.001))).episodes).toHaveLength(3);
  for (const _ of [2, 3]) expect(await read(answer)).toEqual(result);
  // It is not new any more.
  expect((await read(lie)).episodes).toHaveLength(3);
  drawn = 0.05;
  await expect(read(lie)).rejects.toThrow('differ by');
  const trusting = new Auditor(policy, taskSet, 0);
  expect((await trusting.episodesOf('v', batch, lie, controls, policy.model)).episodes).toHaveLength(3);
});
