/**
 * The real ALFWorld games: transcripts of the reference engine, walkthroughs, wording, vocabulary and expert. Runs
 * where the data lies beside the checkout.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  type AlfworldEnvironment,
  type AlfworldTask,
  type AlfworldTaskSet,
  createAlfworldTaskSet,
  replayTranscripts,
} from '../../../src/envs/alfworld/index.node.ts';
import { openLibrary } from '../../../src/envs/alfworld/library.node.ts';
import type { Split, Turn } from '../../../src/envs/environment.ts';
import { nameByClass } from '../../../src/envs/textgame/index.ts';
import { WordTokenizer } from '../../../src/text/wordTokenizer.ts';
import { needsData, sharedData } from '../../support/sharedData.ts';

const GAMES = sharedData('alfworld-games/');
const SAMPLES = `${GAMES}samples/`;
const OLD_SAMPLES = `${GAMES}samples_old_2.1.1/`;
const TRANSCRIPTS = sharedData('alfworld-golden/transcripts.jsonl.gz');
const LISTS = sharedData('agentbench-alfworld/');
const SPLITS: readonly Split[] = ['train', 'seen', 'unseen'];

interface Transcript {
  readonly gamefile: string;
  readonly initial: { readonly feedback: string };
  readonly steps: readonly {
    readonly command: string;
    readonly feedback: string;
    readonly admissible: readonly string[];
  }[];
}

function readTranscripts(): Transcript[] {
  const lines = gunzipSync(readFileSync(TRANSCRIPTS)).toString('utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Transcript);
}

let opened: Promise<AlfworldTaskSet> | undefined;
/** The task set of all games, opened once: they must be unpacked. */
const open = (): Promise<AlfworldTaskSet> => (opened ??= createAlfworldTaskSet({ data: GAMES }));

/** Four groups of games; the last is ALFWorld's own check of training, which no split is by default. */
async function openGroups(): Promise<{ set: AlfworldTaskSet; split: Split }[]> {
  const set = await open();
  const check = await createAlfworldTaskSet({ data: GAMES, splits: { seen: 'valid_train' } });
  return [...SPLITS.map((split) => ({ set, split })), { set: check, split: 'seen' }];
}

/** Takes the recorded solution of the task that was reset last. */
function playSolution(set: AlfworldTaskSet, environment: AlfworldEnvironment, task: AlfworldTask): Turn[] {
  return set.solution(task)!.map((command) => environment.step(command));
}

/** An environment where the player has just come to a spot that two places share. */
async function standAtSharedSpot(): Promise<{ environment: AlfworldEnvironment; here: readonly string[] }> {
  const set = await open();
  const start = set.createEnvironment();
  for (const task of set.allTasks('seen')) {
    for (const action of start.reset(task).admissibleActions!.filter((command) => command.startsWith('go to '))) {
      const environment = set.createEnvironment();
      environment.reset(task);
      const { admissibleActions } = environment.step(action);
      const here = admissibleActions!.flatMap((command) =>
        command.startsWith('examine ') ? [command.slice('examine '.length)] : [],
      );
      if (here.length === 2) return { environment, here };
    }
  }
  throw new Error('No two places share a spot in any seen game.');
}

describe('ALFWorld games', needsData(GAMES), () => {
  it('are 3,553 to train on, 140 in seen rooms, 134 in unseen ones, and 200 to check training with', async () => {
    const groups = await openGroups();
    expect(groups.map(({ set, split }) => set.counts(split).tasks)).toEqual([3553, 140, 134, 200]);
    const ids = groups.flatMap(({ set, split }) => set.allTasks(split).map(({ id }) => id));
    expect(new Set(ids).size).toBe(4027);
  });

  it('are all won by their walkthroughs, at the last step and no sooner', async () => {
    const lost: string[] = [];
    for (const { set, split } of await openGroups()) {
      const environment = set.createEnvironment();
      for (const task of set.allTasks(split)) {
        const { instruction } = environment.reset(task);
        const wins = playSolution(set, environment, task).map(({ success }) => success);
        if (wins.indexOf(true) !== wins.length - 1 || !/^\w.*\.$/.test(instruction)) lost.push(task.id);
      }
    }
    expect(lost).toEqual([]);
  });

  it('need no word that the vocabulary lacks', async () => {
    const set = await open();
    const tokenizer = WordTokenizer.build(set.words());
    const words = new Set<string>();
    const collect = (text: string): void => {
      for (const word of text.match(/[A-Za-z]+|\d+/g) ?? []) words.add(word);
    };
    // All names and task sentences of all games, and what a game says when it is played.
    const library = openLibrary(GAMES, []);
    for (const split of ['train', 'valid_seen', 'valid_unseen', 'valid_train']) {
      for (const game of library.list(split).games) {
        const { problem, task } = game.read();
        collect(task!);
        for (const name of nameByClass([...new Set(problem.toLowerCase().match(/\w+_bar_\w+/g))].sort())) collect(name);
      }
    }
    const environment = set.createEnvironment();
    for (const task of set.tasks('seen', 30, 1)) {
      for (const { observation, admissibleActions } of [
        environment.reset(task),
        ...playSolution(set, environment, task),
      ]) {
        collect(observation);
        for (const action of admissibleActions!) collect(action);
      }
    }
    expect(words.size).toBeGreaterThan(150);
    expect([...words].filter((word) => tokenizer.encode(word).length !== 1)).toEqual([]);
  });

  it('are mastered by the expert', async () => {
    const set = await open();
    const environment = set.createEnvironment();
    for (const split of SPLITS) {
      const tasks = set.tasks(split, 90, 1);
      const won = tasks.filter((task) => {
        const expert = set.createExpert();
        let turn: Turn & { instruction?: string } = environment.reset(task);
        expert.reset(turn.instruction!);
        while (!turn.done) turn = environment.step(expert.act(turn));
        return turn.success;
      });
      expect(won.length).toBeGreaterThan(0.95 * tasks.length);
    }
  });

  it('are rewarded, limited and worded as in verl-agent', async () => {
    const set = await open();
    const environment = set.createEnvironment();
    const task = set.allTasks('unseen').find(({ type }) => type === 'look_at_obj_in_light')!;
    const first = environment.reset(task);
    expect(first.observation).toMatch(
      /^-= Welcome to TextWorld, ALFRED! =-\n\nYou are in the middle of a room\. Looking quickly around you, you see a .*\.\n\nYour task is to: /,
    );
    expect(first.instruction).toBe('examine the alarmclock with the desklamp.');
    const rewards = playSolution(set, environment, task).map(({ reward }) => reward);
    expect(rewards).toEqual([0, 0, 0, 10]);
  });

  it('say nothing of the room to a look before the first move, and what is near afterwards', async () => {
    const set = await open();
    const environment = set.createEnvironment();
    environment.reset(set.allTasks('seen')[0]!);
    expect(environment.step('look').observation).toBe(
      'You are in the middle of a room. Looking quickly around you, you see nothing.',
    );
    const spot = await standAtSharedSpot();
    const [first, second] = [...spot.here].reverse();
    expect(spot.environment.step('look').observation).toBe(
      `You are facing the ${first}, and ${second}. Next to it, you see nothing.`,
    );
  });

  it('let the player use all places at one spot, and go to none of them again', async () => {
    const { environment, here } = await standAtSharedSpot();
    const { admissibleActions } = environment.step('wait');
    for (const place of here) {
      expect(admissibleActions).toContain(`examine ${place}`);
      expect(admissibleActions).not.toContain(`go to ${place}`);
      expect(environment.step(`go to ${place}`).observation).toBe('Nothing happens.');
    }
  });

  it('let things be examined in the hand alone', async () => {
    const set = await open();
    const environment = set.createEnvironment();
    const task = set.allTasks('unseen').find(({ type }) => type === 'pick_cool_then_place_in_recep')!;
    environment.reset(task);
    const solution = set.solution(task)!;
    const taking = solution.findIndex((command) => command.startsWith('take '));
    const thing = /^take (.*) from /.exec(solution[taking]!)![1]!;
    for (const command of solution.slice(0, taking)) environment.step(command);
    expect(environment.step(`examine ${thing}`).observation).toBe('Nothing happens.');
    environment.step(solution[taking]!);
    expect(environment.step(`examine ${thing}`).observation).not.toBe('Nothing happens.');
    for (const command of solution.slice(taking + 1, solution.findIndex((command) => command.startsWith('cool ')) + 1))
      environment.step(command);
    expect(environment.step(`examine ${thing}`).observation).toBe(`This is a cold ${thing}.`);
  });
});

describe("the reference engine's transcripts", needsData(TRANSCRIPTS, GAMES), () => {
  it('are matched character for character', async () => {
    expect(await replayTranscripts(readTranscripts(), GAMES)).toEqual({
      steps: 594,
      equal: 594,
      firstDifference: null,
    });
  });

  it('do not match where they were altered', async () => {
    const [record] = readTranscripts();
    const { command, feedback } = record!.steps[3]!;
    const steps = record!.steps.map((step, index) => (index === 3 ? { ...step, feedback: `${feedback}!` } : step));
    const report = await replayTranscripts([{ ...record, steps }], GAMES);
    expect(report.firstDifference, command).toEqual({
      session: record!.gamefile,
      step: 4,
      field: 'feedback',
      expected: `${feedback}!`,
      actual: feedback,
    });
  });
});

describe('games in the original layout', needsData(SAMPLES), () => {
  it('are those of the packed form', async () => {
    const [files, packed] = await Promise.all([SAMPLES, GAMES].map((data) => createAlfworldTaskSet({ data })));
    const tasks = files!.allTasks('unseen');
    expect(tasks.length).toBe(12);
    for (const task of tasks) {
      expect(files!.solution(task)).toEqual(packed!.solution(task));
      expect(files!.createEnvironment().reset(task)).toEqual(packed!.createEnvironment().reset(task));
    }
    expect(files!.words()).toEqual(packed!.words());
  });
});

describe("AgentBench's lists", needsData(LISTS, GAMES), () => {
  it.each([
    ['dev', 20, 0],
    ['standard', 50, 0],
    ['new_std', 93, 16],
  ])('%s leaves %i unseen games, and lacks %i of old releases', async (name, tasks, missing) => {
    const set = await createAlfworldTaskSet({ data: GAMES, list: `${LISTS}${name}.json` });
    expect(set.counts('unseen')).toMatchObject({ tasks, missing });
    expect(set.counts('seen').tasks).toBe(140);
  });
});

describe('games of release 2.1.1', needsData(OLD_SAMPLES), () => {
  it('are skipped where they are marked as unsolvable', async () => {
    const set = await createAlfworldTaskSet({ data: OLD_SAMPLES });
    expect(set.counts('unseen')).toEqual({ tasks: 2, unsolvable: 1, unsupported: 0, missing: 0 });
  });

  it('speak the old wording, know no help, and are won by the expert', async () => {
    const set = await createAlfworldTaskSet({ data: OLD_SAMPLES });
    const known = new Set(set.words());
    for (const task of set.allTasks('unseen')) {
      const environment = set.createEnvironment();
      const expert = set.createExpert();
      const first = environment.reset(task);
      expect(set.solution(task)).toBeNull();
      expect(first.admissibleActions).not.toContain('help');
      expert.reset(first.instruction);
      let turn: Turn = first;
      while (!turn.done) {
        const action = expert.act(turn);
        turn = environment.step(action);
        if (action.startsWith('go to ')) expect(turn.observation).toMatch(/^You arrive at loc \d+\. (On|The) /);
        if (action.startsWith('put ')) expect(action).toMatch(/^put \w+ \d+ in\/on \w+ \d+$/);
        for (const word of turn.observation.match(/[A-Za-z]+|\d+/g)!) expect(known).toContain(word);
      }
      expect(turn.success).toBe(true);
    }
  });

  it('are read one by one, too', async () => {
    const names = readdirSync(OLD_SAMPLES, { recursive: true, encoding: 'utf8' });
    const file = OLD_SAMPLES + names.find((name) => name.includes('Bowl') && name.endsWith('game.tw-pddl'))!;
    const set = await createAlfworldTaskSet({ data: file });
    expect(set.allTasks('train')).toHaveLength(1);
  });
});
