import { describe, expect, it } from 'vitest';
import { defineTaskSet } from '../../src/envs/define.ts';
import type { TaskSet } from '../../src/envs/environment.ts';
import { type Fault, FaultLog } from '../../src/envs/faults.ts';
import { floatsToText } from '../../src/fleet/codec.ts';
import type { EpisodeOutcome, PlayedEpisode } from '../../src/fleet/protocol.ts';
import { disagreement, noteFaults, playedAgain, recordedWorld, type Teller, told } from '../../src/fleet/recorded.ts';
import { playBatch } from '../../src/rl/rollout.ts';
import { controls, textPlayer } from '../support/players.ts';

/** Counting to a number: `add` counts, `wait` does not. */
const counting = defineTaskSet({
  name: 'counting',
  maxSteps: 5,
  tasks: Array.from({ length: 20 }, (_, i) => ({ id: `t${i}`, type: 'count', goal: 1 + (i % 3) })),
  instruction: ({ goal }) => `count to ${goal}.`,
  *play({ goal }) {
    for (let count = 0; count < goal; )
      if ((yield { observation: `${count}.`, actions: ['add', 'wait'] }) === 'add') count++;
    return { observation: 'there.', success: true, score: 0.5 };
  },
});
const player = textPlayer(counting, ['add', 'wait']);
const policy = {
  player,
  tokenizer: player.tokenizer,
  config: { sampling: { maxNewTokens: 4 } },
  model: { config: { vocabSize: 400 } },
} as unknown as Teller;
const batch = { tasks: counting.tasks('train', 6, 1), firstEpisode: 40 };

async function played(world: TaskSet = counting) {
  const faults: Fault[] = [];
  const log = new FaultLog({ retryDelaySeconds: 0, maxAttempts: 2 }, (fault) => faults.push(fault));
  const result = await playBatch(player, world, batch, { controls, firstEpisode: 40, faults: log });
  // As it comes out of a message.
  return { result, answer: JSON.parse(JSON.stringify(told(batch, result, faults))) as ReturnType<typeof told> };
}

const again = (answer: ReturnType<typeof told>, world = recordedWorld(counting, answer.episodes)) =>
  playedAgain(policy, world, batch, answer, controls);

/** An answer with one episode changed. */
function altered(answer: ReturnType<typeof told>, change: (episode: PlayedEpisode) => EpisodeOutcome) {
  const [first, ...rest] = answer.episodes;
  return { ...answer, episodes: [change(first as PlayedEpisode), ...rest] };
}

describe('an answer', () => {
  it('becomes the episodes that were played, to the last number', async () => {
    const { result, answer } = await played();
    expect(await again(answer)).toEqual(result);
    expect(disagreement(batch, answer.episodes, await again(answer, counting))).toBeNull();
  });

  it('tells of worlds that failed, and of episodes that were given up', async () => {
    let opened = 0;
    const failing: TaskSet = {
      ...counting,
      createEnvironment() {
        const nth = opened++;
        // The second episode fails once, the third always.
        if (nth === 1 || nth === 2 || nth === 7) throw new Error('no room');
        return counting.createEnvironment();
      },
    };
    const { result, answer } = await played(failing);
    expect(result.dropped).toHaveLength(1);
    const { episodes, dropped } = await again(answer);
    expect(episodes).toEqual(result.episodes);
    expect(dropped).toMatchObject([{ id: result.dropped[0]!.id, faults: 2, error: { message: 'no room' } }]);
    const log = new FaultLog();
    noteFaults(log, batch.tasks, answer.faults);
    expect(log.count).toBe(3);
  });

  it.each<[string, (episode: PlayedEpisode) => EpisodeOutcome, string]>([
    ['a reply cut short', (it) => withReply(it, ({ reply }) => reply.slice(0, -1)), 'a reply is cut short'],
    ['a reply that goes on', (it) => withReply(it, ({ reply }) => [...reply, 1]), 'a reply goes on after its end'],
    [
      'a token that there is not',
      (it) => withReply(it, ({ reply }) => [500, ...reply.slice(1)]),
      'the token 500 of 400',
    ],
    [
      'a probability above 1',
      ({ steps: [first, ...rest], ...it }) => ({
        ...it,
        steps: [{ ...first!, logProbs: floatsToText(first!.reply.map(() => 0.5)) }, ...rest],
      }),
      'a log-probability is 0.5',
    ],
    [
      'a log-probability too few',
      ({ steps: [first, ...rest], ...it }) => ({
        ...it,
        steps: [{ ...first!, logProbs: floatsToText([-1]) }, ...rest],
      }),
      '1 numbers where 2 belong',
    ],
    ['a failure of a world that can be played', (it) => ({ ...it, instruction: '' }), 'cannot be played again'],
    [
      'a reward that is none',
      ({ steps, ...it }) => ({ ...it, steps: steps.map((step) => ({ ...step, reward: 1e40 })) }),
      'cannot be played again',
    ],
  ])('is refused with %s', async (_, change, message) => {
    const { answer } = await played();
    await expect(again(altered(answer, change))).rejects.toThrow(message);
  });

  it('is refused with an episode too few, or a fault of another task', async () => {
    const { answer } = await played();
    await expect(again({ ...answer, episodes: answer.episodes.slice(1) })).rejects.toThrow('5 episodes of 6');
    const faults = [{ task: 'other', attempt: 1, step: 0, error: { code: 'x', message: 'y' } }];
    await expect(again({ ...answer, faults })).rejects.toThrow('a fault in other');
  });

  it.each<[string, (episode: PlayedEpisode) => EpisodeOutcome, string]>([
    [
      'another reward',
      ({ steps, ...it }) => ({ ...it, steps: steps.map((step) => ({ ...step, reward: 7 })) }),
      'the reward of step 1 is',
    ],
    [
      'another sight',
      ({ steps, ...it }) => ({ ...it, steps: steps.map((step) => ({ ...step, observation: 'x.' })) }),
      'what is seen in step 1',
    ],
    [
      'other offers',
      ({ steps, ...it }) => ({ ...it, steps: steps.map((step) => ({ ...step, actions: ['add', 'wait', 'win'] })) }),
      'step 1 offers other actions',
    ],
    ['another task', (it) => ({ ...it, instruction: 'count to 0.' }), 'its task reads otherwise'],
    ['another score', (it) => ({ ...it, score: 0.25 }), 'it comes to another end'],
  ])('that claims %s differs from the environment', async (_, change, difference) => {
    const { answer } = await played();
    const lie = altered(answer, change);
    const truth = await again(lie, counting);
    expect(disagreement(batch, lie.episodes, truth)).toContain(difference);
    expect(disagreement(batch, lie.episodes, truth)).toContain('episode-40 (task ');
  });

  it('that ends an episode before its world does is found out', async () => {
    const { answer } = await played();
    const lie = altered(answer, ({ steps, ...it }) => ({ ...it, steps: steps.slice(0, 1), success: true, score: 1 }));
    await expect(again(lie, counting)).rejects.toThrow('episode-40 ends before its world does');
  });
});

function withReply(
  { steps: [first, ...rest], ...it }: PlayedEpisode,
  change: (step: { reply: number[] }) => number[],
): PlayedEpisode {
  const reply = change(first!);
  return { ...it, steps: [{ ...first!, reply, logProbs: floatsToText(reply.map(() => -1)) }, ...rest] };
}
