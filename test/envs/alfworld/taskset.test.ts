/**
 * The ALFWorld task set on small games of our own: where it finds them, what it makes of them, and what it says where
 * it finds none.
 */
import { appendFileSync, symlinkSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type AlfworldOptions, createAlfworldTaskSet } from '../../../src/envs/alfworld/index.node.ts';
import { fetchedFolder } from '../../../src/envs/alfworld/library.node.ts';
import { TASK_TYPES } from '../../../src/envs/alfworld/taskTypes.ts';
import type { Split } from '../../../src/envs/environment.ts';
import {
  gameText,
  layoutFolder,
  packedFolder,
  TINY_GAMES,
  type TinyGame,
  temporaryFolder,
  write,
} from './tinyGames.ts';

const SPLITS: readonly Split[] = ['train', 'seen', 'unseen'];
const GAME = TINY_GAMES[0]!;
const fails = (code: string, message: RegExp): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('the games of a split', () => {
  it.each([
    ["ALFWorld's layout", (): string => layoutFolder()],
    ['the layout without what is above it', (): string => join(layoutFolder(), 'json_2.1.1')],
    ['the folder of a split', (): string => join(layoutFolder(), 'json_2.1.1', 'valid_seen')],
    ['the packed form', (): string => packedFolder()],
  ])('are found in %s', async (_, folder) => {
    const set = await createAlfworldTaskSet({ data: folder() });
    expect(Object.fromEntries(SPLITS.map((split) => [split, set.allTasks(split)]))).toEqual({
      train: [
        { id: 'pick_and_place_simple-Mug-None-Cabinet-1/trial_1', type: 'pick_and_place', split: 'train' },
        {
          id: 'pick_heat_then_place_in_recep-Mug-None-Cabinet-1/trial_1',
          type: 'pick_heat_then_place_in_recep',
          split: 'train',
        },
      ],
      seen: [
        {
          id: 'pick_two_obj_and_place-Mug-None-Cabinet-1/trial_1',
          type: 'pick_two_obj_and_place',
          split: 'valid_seen',
        },
      ],
      unseen: [
        { id: 'look_at_obj_in_light-Mug-None-DeskLamp-1/trial_1', type: 'look_at_obj_in_light', split: 'valid_unseen' },
      ],
    });
    expect(set.counts('train')).toEqual({ tasks: 2, unsolvable: 1, unsupported: 1, missing: 0 });
    for (const split of SPLITS) {
      for (const task of set.allTasks(split)) {
        const environment = set.createEnvironment();
        environment.reset(task);
        const wins = set.solution(task)!.map((command) => environment.step(command).success);
        expect(wins).toEqual(wins.map((_, step) => step === wins.length - 1));
      }
    }
  });

  it('may be reached by links', async () => {
    const folder = temporaryFolder();
    symlinkSync(join(layoutFolder(), 'json_2.1.1'), join(folder, 'json_2.1.1'), 'dir');
    const elsewhere = join(layoutFolder(), 'json_2.1.1', 'train', GAME.id.split('/')[0]!);
    symlinkSync(elsewhere, join(folder, 'json_2.1.1', 'train', 'pick_and_place_simple-Link-None-Cabinet-1'), 'dir');
    const set = await createAlfworldTaskSet({ data: folder });
    expect(set.counts('train').tasks).toBe(3);
  });

  it('are one and the same game in every split, if a single file is given', async () => {
    const file = write(join(temporaryFolder(), GAME.id, 'game.tw-pddl'), gameText(GAME));
    for (const data of [file, join(file, '..'), join(file, '../..')]) {
      const set = await createAlfworldTaskSet({ data });
      for (const split of SPLITS) expect(set.allTasks(split).map(({ id }) => id)).toEqual([GAME.id]);
    }
  });

  it('come from other folders where the options say so', async () => {
    const set = await createAlfworldTaskSet({ data: layoutFolder(), splits: { seen: 'train' } });
    expect(set.allTasks('seen')).toEqual(set.allTasks('train'));
  });

  it('are read from $ALFWORLD_DATA by default', async () => {
    vi.stubEnv('ALFWORLD_DATA', layoutFolder());
    const set = await createAlfworldTaskSet();
    expect(set.counts('train').tasks).toBe(2);
  });

  it('are left out as unsolvable wherever in the file that is noted, but not for what a text says', async () => {
    const data = layoutFolder();
    const file = join(data, 'json_2.1.1', 'train', GAME.id, 'game.tw-pddl');
    const { solvable, ...rest } = JSON.parse(gameText(GAME)) as Record<string, unknown>;
    const long = '; '.padEnd(5000, 'x');
    for (const [text, unsolvable] of [
      [{ solvable: false, ...rest, note: long }, 2],
      [{ ...rest, note: long }, 1],
      [{ ...rest, solvable, note: '"solvable": false' }, 1],
    ] as const) {
      write(file, JSON.stringify(text));
      expect((await createAlfworldTaskSet({ data })).counts('train').unsolvable).toBe(unsolvable);
    }
  });

  it('have no recorded solution in old files', async () => {
    const set = await createAlfworldTaskSet({ data: layoutFolder(TINY_GAMES, true) });
    expect(set.solution(set.allTasks('train')[0]!)).toBeNull();
    expect(set.createEnvironment().reset(set.allTasks('train')[0]!).instruction).toBe('put a mug in cabinet.');
  });
});

describe('tasks', () => {
  const many: readonly TinyGame[] = [1, 2, 3, 4, 5, 6].flatMap((trial) => {
    const [pick, heat] = TINY_GAMES as readonly [TinyGame, TinyGame];
    const kinds = trial <= 2 ? [pick, heat] : [pick];
    return kinds.map((game) => ({ ...game, id: `${game.id.split('/')[0]}/trial_${trial}` }));
  });

  it('are distinct and follow from the seed; types take turns as long as there are any left', async () => {
    const set = await createAlfworldTaskSet({ data: layoutFolder(many) });
    const tasks = set.tasks('train', 8, 1);
    expect(new Set(tasks.map(({ id }) => id)).size).toBe(8);
    expect(tasks.map(({ type }) => type.slice(0, 9))).toEqual([
      ...['pick_and_', 'pick_heat', 'pick_and_', 'pick_heat', 'pick_and_', 'pick_and_', 'pick_and_', 'pick_and_'],
    ]);
    expect(set.tasks('train', 8, 1)).toEqual(tasks);
    expect(set.tasks('train', 3, 1)).toEqual(tasks.slice(0, 3));
    const orders = [2, 3, 4, 5].map((seed) => set.tasks('train', 8, seed));
    expect(orders.some((order) => JSON.stringify(order) !== JSON.stringify(tasks))).toBe(true);
  });

  it('are refused where there are not as many', async () => {
    const set = await createAlfworldTaskSet({ data: layoutFolder() });
    expect(() => set.tasks('train', 3, 1)).toThrow(
      fails('config', /the train split has 2 tasks, not 3 \(train, left out: 1 unsolvable, 1 of other types\)/),
    );
  });

  it('can be restricted to some types, in report order', async () => {
    const set = await createAlfworldTaskSet({
      data: packedFolder(),
      types: ['look_at_obj_in_light', 'pick_and_place'],
    });
    expect(set.types).toEqual(['pick_and_place', 'look_at_obj_in_light']);
    expect(SPLITS.map((split) => set.allTasks(split).length)).toEqual([1, 0, 1]);
  });

  it('can be cut down to a list of games, which leaves alone the splits that it does not name', async () => {
    const path = (split: string, id: string): string => `json_2.1.1/${split}/${id}/game.tw-pddl`;
    const unsolvable = TINY_GAMES.find(({ solvable }) => solvable === false)!;
    const listed = { pick_and_place: [path('train', GAME.id), path('train', unsolvable.id)] };
    for (const json of [listed, Object.values(listed).flat()]) {
      const list = write(join(temporaryFolder(), 'list.json'), JSON.stringify(json));
      const set = await createAlfworldTaskSet({ data: layoutFolder(), list });
      expect(set.allTasks('train').map(({ id }) => id)).toEqual([GAME.id]);
      expect(set.counts('train').missing).toBe(1);
      expect(set.counts('seen')).toMatchObject({ tasks: 1, missing: 0 });
    }
  });
});

describe('what is wrong is said', () => {
  it.each([
    [{ maxStep: 5 }, /maxStep/],
    [{ maxSteps: 0 }, /maxSteps/],
    [{ types: ['fry'] }, /types/],
    [{ types: [] }, /types/],
    [{ winReward: 'much' }, /winReward/],
    [{ data: '' }, /data/],
    [{ splits: { seen: '../seen' } }, /splits\.seen/],
    [{ splits: { test: 'test' } }, /splits.*test/],
  ])('of the options %j', async (options, message) => {
    await expect(createAlfworldTaskSet(options as AlfworldOptions)).rejects.toEqual(fails('config', message));
  });

  it('where there are no games', async () => {
    const empty = temporaryFolder();
    await expect(createAlfworldTaskSet({ data: empty })).rejects.toEqual(
      fails('file', /^ALFWorld's games are not at .*proxmo env fetch alfworld/),
    );
    const nowhere = join(empty, 'nowhere');
    await expect(createAlfworldTaskSet({ data: nowhere })).rejects.toThrow(nowhere);
    vi.stubEnv('ALFWORLD_DATA', nowhere);
    vi.stubEnv('HOME', empty);
    vi.stubEnv('USERPROFILE', empty);
    vi.stubEnv('XDG_DATA_HOME', join(empty, 'share'));
    vi.stubEnv('LOCALAPPDATA', join(empty, 'share'));
    await expect(createAlfworldTaskSet()).rejects.toThrow(
      `${nowhere} or ${fetchedFolder()} or ${join(empty, '.cache', 'alfworld')}`,
    );
  });

  it('of a list that is none', async () => {
    const data = layoutFolder();
    const list = write(join(data, 'list.json'), '{"pick": 1}');
    await expect(createAlfworldTaskSet({ data, list })).rejects.toEqual(
      fails('file', /list\.json is no list of game paths/),
    );
  });

  it('of tasks of another task set', async () => {
    const set = await createAlfworldTaskSet({ data: layoutFolder() });
    const strange = {
      id: 'pick_and_place_simple-Cup-None-Shelf-9/trial_9',
      type: 'pick_and_place',
      split: 'train',
    } as const;
    expect(() => set.createEnvironment().reset(strange)).toThrow(
      fails('environment', /no game train\/pick_and_place_simple-Cup/),
    );
  });

  it('of a game file that is cut off: listed still, but named when it is read', async () => {
    const data = layoutFolder();
    const file = join(data, 'json_2.1.1', 'train', GAME.id, 'game.tw-pddl');
    truncateSync(file, 2000);
    const set = await createAlfworldTaskSet({ data });
    const task = set.allTasks('train').find(({ id }) => id === GAME.id)!;
    expect(() => set.createEnvironment().reset(task)).toThrow(fails('file', /trial_1.game\.tw-pddl is not valid JSON/));
    expect(() => set.solution(task)).toThrow(file);
  });

  it('of a game whose problem does not parse', async () => {
    const data = layoutFolder();
    const file = join(data, 'json_2.1.1', 'train', GAME.id, 'game.tw-pddl');
    write(file, gameText(GAME).replace('(:goal', '(:gaol'));
    const set = await createAlfworldTaskSet({ data });
    expect(() => set.createEnvironment().reset(set.allTasks('train')[0]!)).toThrow(
      fails('file', /does not load: .*unsupported problem section/),
    );
  });

  it('of packed games that are damaged', async () => {
    const data = packedFolder();
    appendFileSync(join(data, 'games', 'train-other.jsonl'), '\n{"path": 3}\n');
    write(join(data, 'games', 'valid_unseen.jsonl.gz'), 'this is not gzip');
    const set = await createAlfworldTaskSet({ data });
    expect(() => set.allTasks('train')).toThrow(
      fails('file', /train-other\.jsonl, line 5, is damaged: `path` must be text, not 3;/),
    );
    expect(() => set.allTasks('unseen')).toThrow(fails('file', /valid_unseen\.jsonl\.gz cannot be unpacked/));
  });
});

describe('the task set', () => {
  it('names the six types in report order', async () => {
    const set = await createAlfworldTaskSet({ data: layoutFolder() });
    expect(set).toMatchObject({ name: 'alfworld', types: TASK_TYPES, maxSteps: 50 });
    expect(TASK_TYPES.map((type) => type.split('_')[1])).toEqual(['and', 'two', 'at', 'heat', 'cool', 'clean']);
  });

  it('puts turns to a language model as verl-agent does', async () => {
    const { thinkAction } = await createAlfworldTaskSet({ data: layoutFolder() });
    expect(thinkAction.verlTailLength).toBe(30);
    const message = thinkAction.message({
      instruction: 'put a mug in cabinet.',
      history: [{ observation: 'first', action: 'go to desk 1' }],
      step: 1,
      observation: 'You arrive at desk 1.',
      admissibleActions: ['go to cabinet 1', 'take mug 1 from desk 1'],
    });
    expect(message).toContain('Your task is to: put a mug in cabinet.');
    expect(message).toContain("[Observation 1: 'first', Action 1: 'go to desk 1']");
    expect(message).toContain("'go to cabinet 1'\n 'take mug 1 from desk 1'");
  });

  it('knows its words, whatever form the games are in', async () => {
    const [layout, packed] = await Promise.all(
      [layoutFolder(), packedFolder()].map((data) => createAlfworldTaskSet({ data })),
    );
    const words = layout!.words();
    expect(words).toEqual(expect.arrayContaining(['Welcome', 'desklamp', 'put', '27', 'nothing', ',']));
    expect(words).not.toContain('UNKNOWN');
    expect(packed!.words()).toEqual(words);
  });

  it('has no words without games', async () => {
    const set = await createAlfworldTaskSet({ data: layoutFolder([TINY_GAMES.at(-1)!]) });
    expect(() => set.words()).toThrow(fails('file', /holds no game to play/));
  });
});
