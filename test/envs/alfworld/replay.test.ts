/** Replaying transcripts, on small games of our own. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { replayTranscripts } from '../../../src/envs/alfworld/index.node.ts';
import { gameText, layoutFolder, packedFolder, TINY_GAMES, temporaryFolder, write } from './tinyGames.ts';

const GAME = TINY_GAMES[0]!;
const gamefile = `json_2.1.1/${GAME.split}/${GAME.id}/game.tw-pddl`;
const START = ['go to cabinet 1', 'go to cabinet 2', 'go to desk 1', 'go to microwave 1', 'help'];
const AT_DESK = {
  command: 'go to desk 1',
  feedback: 'You arrive at desk 1. On the desk 1, you see a desklamp 1, and a mug 1.',
  admissible: [
    ...['examine desk 1', 'go to cabinet 1', 'go to cabinet 2', 'go to microwave 1', 'help'],
    ...['take mug 1 from desk 1', 'use desklamp 1'],
  ],
  won: false,
  score: 0,
  done: false,
};
const RECORD = {
  gamefile,
  kind: 'written by hand',
  initial: { admissible: START, won: false },
  steps: [AT_DESK, { command: 'fly', feedback: 'Nothing happens.', admissible: AT_DESK.admissible }],
};

describe('replayTranscripts', () => {
  it.each([
    ["ALFWorld's layout", (): string => layoutFolder()],
    ['the layout without what is above it', (): string => join(layoutFolder(), 'json_2.1.1')],
    ['the packed form', (): string => packedFolder()],
    [
      'a folder that the paths of the records lead on from',
      (): string => join(write(join(temporaryFolder(), gamefile), gameText(GAME)), '../../../../..'),
    ],
    [
      'a folder of loose games',
      (): string => join(write(join(temporaryFolder(), GAME.id, 'game.tw-pddl'), gameText(GAME)), '../..'),
    ],
  ])('finds the games in %s', async (_, folder) => {
    expect(await replayTranscripts([RECORD], folder())).toEqual({ steps: 3, equal: 3, firstDifference: null });
  });

  it('reads records as they come', async () => {
    async function* stream(): AsyncGenerator<unknown> {
      yield RECORD;
      yield { ...RECORD, initial: null, steps: [] };
    }
    expect(await replayTranscripts(stream(), packedFolder())).toEqual({ steps: 3, equal: 3, firstDifference: null });
  });

  it('also plays games without a solution', async () => {
    const unsolvable = TINY_GAMES.find(({ solvable }) => solvable === false)!;
    const record = {
      gamefile: `train/${unsolvable.id}/game.tw-pddl`,
      steps: [{ command: 'help', feedback: 'No help today.\n' }],
    };
    for (const folder of [layoutFolder(), packedFolder()])
      expect((await replayTranscripts([record], folder)).equal).toBe(1);
  });

  it.each([
    ['feedback', { feedback: 'You arrive.' }, 'You arrive.', AT_DESK.feedback],
    ['admissible', { admissible: ['help'] }, '["help"]', JSON.stringify(AT_DESK.admissible)],
    ['won', { won: true }, 'true', 'false'],
    ['score', { score: 1 }, '1', '0'],
    ['done', { done: true }, 'true', 'false'],
  ])('says where it differs first: %s', async (field, change, expected, actual) => {
    const changed = {
      ...RECORD,
      steps: [
        { ...AT_DESK, ...change },
        { command: 'fly', feedback: 'You fly.' },
      ],
    };
    expect(await replayTranscripts([RECORD, changed], layoutFolder())).toEqual({
      steps: 6,
      equal: 4,
      firstDifference: { session: gamefile, step: 1, field, expected, actual },
    });
  });

  it('compares the opening as step 0', async () => {
    const report = await replayTranscripts([{ ...RECORD, initial: { feedback: 'Hello' } }], layoutFolder());
    expect(report.firstDifference).toMatchObject({ step: 0, field: 'feedback', expected: 'Hello' });
  });

  it.each([
    [null, /line 2: the whole must be a group of keys, not null/],
    [{ steps: [] }, /line 2: `gamefile` is not set/],
    [{ gamefile, steps: [{ feedback: 'x' }] }, /line 2: `steps\.0\.command` is not set/],
    [{ gamefile, steps: [{ command: 'help', won: 'no' }] }, /line 2: `steps\.0\.won` must be true or false/],
    [
      { gamefile: 'json_2.1.1/train/pick/trial/game.tw-pddl', steps: [] },
      /line 2: there is no game json_2\.1\.1.train.pick/,
    ],
  ])('refuses the record %j and names its line', async (record, message) => {
    await expect(replayTranscripts([RECORD, record], layoutFolder())).rejects.toEqual(
      expect.objectContaining({ code: 'data', message: expect.stringMatching(message) }),
    );
  });

  it('refuses a folder without games', async () => {
    await expect(replayTranscripts([RECORD], temporaryFolder())).rejects.toEqual(
      expect.objectContaining({ code: 'file' }),
    );
  });
});
