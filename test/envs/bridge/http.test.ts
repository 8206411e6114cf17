/** The HTTP bridge, against servers in the shapes of AgentGym's, sound and broken. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { ProxmoError } from '../../../src/base/errors.ts';
import { findInstruction, readActions, readCreated, readTurn } from '../../../src/envs/bridge/agentGym.ts';
import { createHttpTaskSet } from '../../../src/envs/bridge/http.ts';
import { checkTaskSet } from '../../../src/envs/check.ts';
import { FaultLog } from '../../../src/envs/faults.ts';
import { type Episode, playEpisodes } from '../../../src/rl/rollout.ts';
import { controls, textPlayer } from '../../support/players.ts';
import { untimed } from '../../support/rollouts.ts';

type Json = unknown;
/** Answers a request; undefined for an address that there is not. */
type Handler = (path: string, body: Record<string, Json>, query: URLSearchParams, response: ServerResponse) => Json;

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(handle: Handler): Promise<string> {
  const read = async (request: IncomingMessage) => {
    let text = '';
    for await (const piece of request) text += piece;
    return text === '' ? {} : JSON.parse(text);
  };
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://localhost');
    const answer = handle(pathname, await read(request), searchParams, response);
    if (answer === handled) return;
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer ?? { detail: 'Not Found' }));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The handler has answered by itself, or never will. */
const handled = Symbol('handled');

/** A household server: `id`, `game`, lists of actions in every answer, errors with status 200. */
function household(): Handler {
  const games = new Map<number, { goal: number; count: number; done: boolean }>();
  const turn = ({ goal, count, done }: { goal: number; count: number; done: boolean }) => ({
    observation: `${count} so far.${count === 0 ? `\nYour task is to: count to ${goal}.` : ''}`,
    reward: Number(done),
    done,
    available_actions: done ? [] : ['add', 'wait'],
  });
  return (path, body) => {
    if (path === '/create') {
      games.set(games.size, { goal: 0, count: 0, done: true });
      return { id: games.size - 1 };
    }
    const game = games.get(body.id as number);
    if (!game) return { error: `The id ${body.id} is not valid.` };
    if (path === '/reset') {
      if (body.world_type !== 'Text') return { error: 'world_type must be Text' };
      Object.assign(game, { goal: 1 + ((body.game as number) % 3), count: 0, done: false });
      const { reward: _, done: __, ...first } = turn(game);
      return { id: body.id, ...first, task_type: 'count' };
    }
    if (path !== '/step') return undefined;
    if (game.done) return { error: `The task with environment ${body.id} has finished.` };
    if (body.action === 'add') game.count++;
    game.done = game.count >= game.goal;
    return turn(game);
  };
}

/**
 * A shop server: a bare number for an id, `env_idx`, `session_id`, `state`, the page and its buttons at addresses of
 * their own.
 */
function shop(): Handler {
  const pages = new Map<number, string>();
  return (path, body, query) => {
    if (path === '/create') return 17;
    if (path === '/reset') {
      pages.set(body.env_idx as number, 'start');
      return [`WebShop [SEP] Instruction: [SEP] Find me product ${body.session_id} [SEP] Search`, null];
    }
    if (path === '/available_actions') {
      const start = pages.get(Number(query.get('env_idx'))) === 'start';
      return { has_search_bar: start, clickables: start ? ['search'] : ['buy now', '< prev'] };
    }
    if (path === '/step') {
      const action = body.action as string;
      if (action.startsWith('search[')) pages.set(body.env_idx as number, 'item');
      const bought = action === 'click[buy now]';
      return { state: bought ? 'Thank you' : 'An item', reward: bought ? 0.5 : 0, done: bought, info: null };
    }
    return undefined;
  };
}

describe('the two shapes of server', () => {
  it('a household', async () => {
    const set = await createHttpTaskSet({ url: await serve(household()), tasks: 30, name: 'house', maxSteps: 6 });
    const environment = set.createEnvironment();
    const task = set.allTasks!('train').find(({ index }) => index % 3 === 1)!;
    expect(await environment.reset(task)).toEqual({
      instruction: 'count to 2.',
      observation: '0 so far.\nYour task is to: count to 2.',
      admissibleActions: ['add', 'wait'],
      reward: 0,
      done: false,
      success: false,
    });
    expect(await environment.step('add')).toMatchObject({ observation: '1 so far.', done: false });
    const last = await environment.step('add');
    expect(last).toMatchObject({ done: true, success: true, reward: 1, score: 1 });
    // The server would answer with an error.
    expect(await environment.step('add')).toEqual(last);
  });

  it('a shop', async () => {
    const set = await createHttpTaskSet({ url: await serve(shop()), tasks: 30, winReward: 10 });
    const environment = set.createEnvironment();
    const task = set.allTasks!('train')[0]!;
    expect(await environment.reset(task)).toMatchObject({
      instruction: `Find me product ${task.index}`,
      observation: `WebShop [SEP] Instruction: [SEP] Find me product ${task.index} [SEP] Search`,
      admissibleActions: ['search[<your query>]', 'click[search]'],
    });
    expect(await environment.step('search[product]')).toMatchObject({
      observation: 'An item',
      admissibleActions: ['click[buy now]', 'click[< prev]'],
    });
    expect(await environment.step('click[buy now]')).toMatchObject({
      done: true,
      success: false,
      reward: 0,
      score: 0.5,
    });
  });

  it('gives credit for how far an episode came that runs out of steps', async () => {
    const server: Handler = (path) => {
      if (path === '/create') return { id: 1 };
      if (path === '/reset') return { observation: 'Goal: grow a plant.' };
      return path === '/step' ? { observation: 'it grows.', reward: 0, score: 40 } : undefined;
    };
    const set = await createHttpTaskSet({
      url: await serve(server),
      tasks: 9,
      maxSteps: 2,
      progress: 'score',
      fullProgress: 100,
    });
    const environment = set.createEnvironment();
    await environment.reset(set.allTasks!('train')[0]!);
    expect(await environment.step('water it')).not.toHaveProperty('score');
    expect(await environment.step('water it')).toMatchObject({ done: true, success: false, score: 0.4 });
  });

  it('keeps the contract', async () => {
    const set = await createHttpTaskSet({ url: await serve(household()), tasks: 40, maxSteps: 6, wordEpisodes: 20 });
    const report = await checkTaskSet(set, { tasks: 3 });
    expect(report.findings.filter(({ holds }) => !holds)).toEqual([]);
    expect(set.words?.()).toEqual(expect.arrayContaining(['add', 'count', 'far']));
  });

  it('gives each split the tasks it is told to', async () => {
    const url = await serve(household());
    const set = await createHttpTaskSet({ url, tasks: { train: [10, 20], seen: [0, 5], unseen: [5, 10] } });
    expect(set.allTasks!('seen').map(({ index }) => index)).toEqual([0, 1, 2, 3, 4]);
    expect(set.tasks('train', 10, 3)).toHaveLength(10);
  });

  it('uses the environments of the server again, and closes them at last', async () => {
    const calls: string[] = [];
    const inner = household();
    const url = await serve((path, ...rest) => {
      calls.push(path);
      return path === '/close' ? { closed: true } : inner(path, ...rest);
    });
    const set = await createHttpTaskSet({ url, tasks: 30 });
    for (const task of set.tasks('train', 3, 1)) {
      const environment = set.createEnvironment();
      await environment.reset(task);
      await environment.close?.();
    }
    await set.close?.();
    expect(calls.filter((path) => path === '/create')).toHaveLength(1);
    expect(calls.filter((path) => path === '/close')).toHaveLength(1);
  });

  it('sends one key alone where it is told so', async () => {
    const bodies: Record<string, Json>[] = [];
    const url = await serve((path, body) => {
      bodies.push(body);
      return path === '/create' ? 3 : path === '/reset' ? 'Goal: find it.' : undefined;
    });
    const set = await createHttpTaskSet({ url, tasks: 10, taskKey: 'id', createFields: { id: 0 }, resetFields: {} });
    const task = set.allTasks!('train')[0]!;
    expect((await set.createEnvironment().reset(task)).instruction).toBe('find it.');
    expect(bodies.slice(0, 2)).toEqual([{ id: 0 }, { id: task.index, env_idx: 3 }]);
  });
});

describe('what is wrong at the start', () => {
  it.each([
    ['no address', { tasks: 10 }, 'config', /`url` is not set: give the address/],
    ['an address that is none', { url: 'ftp://x', tasks: 10 }, 'config', /`url` is "ftp:\/\/x": give the address/],
    ['no number of tasks', { url: 'http://127.0.0.1:1' }, 'config', /`tasks` is not set: /],
    [
      'a range that ends before it begins',
      { url: 'http://127.0.0.1:1', tasks: { train: [0, 9], seen: [20, 10], unseen: [20, 30] } },
      'config',
      /`tasks\.seen` is \[\d+,\d+\]: in a range \[from, to\] of tasks, from must be below to; correct/,
    ],
    [
      'a range of no task',
      { url: 'http://127.0.0.1:1', tasks: { train: [0, 9], seen: [9, 9], unseen: [20, 30] } },
      'config',
      /`tasks\.seen` is \[\d+,\d+\]: in a range/,
    ],
    [
      'nobody there',
      { url: 'http://127.0.0.1:1', tasks: 10 },
      'environment',
      /http:\/\/127\.0\.0\.1:1 cannot be reached \(.*\) \(POST \/create\)/,
    ],
  ])('%s', async (_, options, code, message) => {
    await expect(createHttpTaskSet(options)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

/** An answer that the handler writes itself. */
const write = (act: (response: ServerResponse) => unknown) => (response: ServerResponse) => {
  act(response);
  return handled;
};

/** Ways in which a server fails a step, and what is said of them. */
const failures: Readonly<Record<string, readonly [act: (response: ServerResponse) => Json, message: RegExp]>> = {
  'status 500': [
    write((response) => response.writeHead(500).end('Oops')),
    /answered with status 500: Oops \(POST \/step\)/,
  ],
  'no answer': [() => handled, /gave no answer within 1.5 s/],
  'a body that never ends': [
    write((response) => response.writeHead(200).write('{"observation": ')),
    /gave no answer within 1.5 s/,
  ],
  'a closed connection': [write((response) => response.destroy()), /cannot be reached/],
  'a body cut short': [
    write((response) => response.writeHead(200, { 'content-length': 100 }).write('{"obs', () => response.destroy())),
    /cannot be reached/,
  ],
  'no JSON': [write((response) => response.writeHead(200).end('<html>')), /something that is not JSON: <html>/],
  'an error with status 200': [() => ({ error: 'index out of range' }), /reports an error: index out of range/],
  'another shape': [
    () => ({ observation: ['a', 'b'] }),
    /does not answer \/step as AgentGym's do: observation is \["a","b"\]/,
  ],
  'a huge body': [
    write((response) => response.writeHead(200).end(`"${'x'.repeat(1 << 25)}"`)),
    /more than 16777216 bytes/,
  ],
};

describe('faults of a server', () => {
  it.each(Object.keys(failures))('%s costs the episode only', async (name) => {
    const [act, message] = failures[name]!;
    const build = async (failing: boolean) => {
      const inner = household();
      let steps = 0;
      const url = await serve((path, body, query, response) =>
        path === '/step' && steps++ === 3 && failing ? act(response) : inner(path, body, query, response),
      );
      return createHttpTaskSet({
        url,
        tasks: 30,
        timeoutSeconds: String(message).includes('no answer') ? 1.5 : 60,
        maxSteps: 6,
        words: ['so', 'far', 'Your', 'task', 'is', 'to', 'count'],
      });
    };
    const play = async (failing: boolean) => {
      const set = await build(failing);
      const errors: string[] = [];
      const faults = new FaultLog({ retryDelaySeconds: 0.01 }, ({ error }) => errors.push(error.message));
      const player = textPlayer(set, ['add', 'wait']);
      const { episodes } = await playEpisodes(player, set, set.allTasks!('train').slice(0, 4), {
        controls,
        firstEpisode: 0,
        faults,
      });
      return { errors, episodes };
    };
    const faulty = await play(true);
    expect(faulty.errors).toEqual([expect.stringMatching(message)]);
    expect(faulty.episodes).toHaveLength(4);
    // The one that starts over draws other random numbers.
    const others = ({ faults }: Episode) => faults === 0;
    const sound = (await play(false)).episodes.filter((_, index) => others(faulty.episodes[index]!));
    expect(untimed(faulty.episodes.filter(others))).toEqual(untimed(sound));
  });
});

describe('reading answers', () => {
  it.each([
    [3, { key: 'env_idx', id: 3 }],
    [{ id: 0 }, { key: 'id', id: 0 }],
    [
      { env_idx: 'a1', observation: 'x' },
      { key: 'env_idx', id: 'a1' },
    ],
  ])('an id: %j', (json, expected) => expect(readCreated(json)).toEqual(expected));

  it('takes actions from behind the observation', () => {
    const text =
      'Your goal: go to the red ball\nYou see a wall.\nAvailable actions: ["turn left", "go to red ball 1", "check available actions"]';
    expect(readTurn({ observation: text, reward: 0, score: 0, done: false })).toMatchObject({
      observation: 'Your goal: go to the red ball\nYou see a wall.',
      actions: ['turn left', 'go to red ball 1', 'check available actions'],
    });
    expect(findInstruction(text)).toBe('go to the red ball');
  });

  it('never fails but with an error of its own', () => {
    for (const read of [readCreated, readTurn, readActions]) {
      fc.assert(
        fc.property(fc.jsonValue(), (json) => {
          try {
            read(json);
          } catch (error) {
            expect(error).toBeInstanceOf(ProxmoError);
          }
        }),
      );
    }
  });
});
