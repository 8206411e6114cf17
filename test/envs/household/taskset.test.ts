/** Task sets of the household: options, splits, order, vocabulary. */
import { describe, expect, it } from 'vitest';
import type { Split } from '../../../src/envs/environment.ts';
import { createHouseholdTaskSet, type HouseholdOptions } from '../../../src/envs/household/index.ts';
import { resolveOptions, TASK_TYPES } from '../../../src/envs/household/options.ts';
import { makeRooms, type Room } from '../../../src/envs/household/rooms.ts';

const SPLITS: readonly Split[] = ['train', 'seen', 'unseen'];

/** The contents of a room without the numbers of things and places. */
function contents(room: Room): string {
  const places = room.places.map(
    ({ kind, things, lamp }) => `${kind.name}:${things.map((thing) => thing.kind.name).sort()}:${lamp}`,
  );
  return `${room.kind} ${places.sort().join(' ')}`;
}

describe('options', () => {
  it('have defaults', () => {
    expect(resolveOptions({})).toEqual({
      hastyShare: 0,
      receptacles: 6,
      objects: 6,
      types: [...TASK_TYPES],
      commands: 'core',
      maxSteps: 20,
      winReward: 10,
      rooms: 200,
      worldSeed: 0,
    });
    expect(resolveOptions({ receptacles: 25 }).maxSteps).toBe(75);
    expect(resolveOptions({ types: ['heat', 'pick', 'heat'] }).types).toEqual(['pick', 'heat']);
  });

  it.each([
    [{ recepticles: 5 }, 'recepticles'],
    [{ receptacles: 3 }, 'receptacles'],
    [{ receptacles: 37 }, 'receptacles'],
    [{ receptacles: 5.5 }, 'receptacles'],
    [{ objects: 1 }, 'objects'],
    [{ objects: 13 }, '13 objects do not fit 6 receptacles'],
    [{ types: [] }, 'types'],
    [{ types: ['fry'] }, 'types'],
    [{ maxSteps: 0 }, 'maxSteps'],
    [{ commands: 'all' }, 'commands'],
    [{ winReward: 'much' }, 'winReward'],
  ])('%j are refused', (options, message) => {
    expect(() => createHouseholdTaskSet(options as HouseholdOptions)).toThrow(message);
    expect(() => createHouseholdTaskSet(options as HouseholdOptions)).toThrow(
      expect.objectContaining({ code: 'config' }),
    );
  });
});

describe('rooms', () => {
  it.each([
    { receptacles: 4, objects: 4 },
    { receptacles: 4, objects: 8 },
    { receptacles: 6, objects: 6 },
    { receptacles: 12, objects: 24 },
    { receptacles: 13, objects: 26 },
    { receptacles: 25, objects: 30 },
    { receptacles: 36, objects: 72 },
  ])('have as many places and things as asked: %j', (sizes) => {
    const { train, unseen } = makeRooms(resolveOptions({ ...sizes, rooms: 40 }));
    expect([train.length, unseen.length]).toEqual([40, 10]);
    for (const room of [...train, ...unseen]) {
      expect(room.places.length).toBe(sizes.receptacles);
      const things = room.places.flatMap((place) => place.things.map(({ id }) => id));
      expect(things.length).toBe(sizes.objects);
      expect(new Set([...things, ...room.places.map(({ id }) => id)]).size).toBe(sizes.objects + sizes.receptacles);
    }
  });

  it('are all different, numbering aside, so that no unseen room occurs in train', () => {
    for (const options of [{}, { receptacles: 4, objects: 2, rooms: 100 }]) {
      const { train, unseen } = makeRooms(resolveOptions(options));
      const all = [...train, ...unseen].map(contents);
      expect(new Set(all).size).toBe(all.length);
    }
  });

  it('keep apart what is train and what is unseen, whatever the number of rooms', () => {
    const few = makeRooms(resolveOptions({ receptacles: 4, objects: 2, rooms: 40 }));
    const many = makeRooms(resolveOptions({ receptacles: 4, objects: 2, rooms: 400 }));
    const train = new Set([...few.train, ...many.train].map(contents));
    for (const room of [...few.unseen, ...many.unseen]) expect(train.has(contents(room))).toBe(false);
  });

  it('follow from the world seed', () => {
    const rooms = (worldSeed: number): string[] =>
      makeRooms(resolveOptions({ worldSeed, rooms: 20 })).train.map(contents);
    expect(rooms(1)).toEqual(rooms(1));
    expect(rooms(1)).not.toEqual(rooms(2));
  });

  it('are of kinds that have what the task types need', () => {
    const kinds = (types: HouseholdOptions['types'] & {}): string[] => {
      return [...new Set(makeRooms(resolveOptions({ types, rooms: 40 })).train.map(({ kind }) => kind))].sort();
    };
    expect(kinds(['heat'])).toEqual(['kitchen']);
    expect(kinds(['clean'])).toEqual(['bathroom', 'kitchen']);
    expect(kinds(['look'])).toEqual(['bedroom', 'lounge']);
    expect(kinds(['pick'])).toEqual(['bathroom', 'bedroom', 'kitchen', 'lounge']);
  });

  it('run out where the sizes admit no more', () => {
    const tiny: HouseholdOptions = { receptacles: 4, objects: 2, types: ['heat'], rooms: 5000 };
    expect(() => createHouseholdTaskSet(tiny)).toThrow(/make only about \d+ different rooms/);
  });
});

describe('tasks', () => {
  const set = createHouseholdTaskSet();

  it('are distinct, take turns by type, and follow from the seed', () => {
    const tasks = set.tasks('train', 60, 5);
    expect(new Set(tasks.map(({ id }) => id)).size).toBe(60);
    expect(tasks.map(({ type }) => type)).toEqual(Array.from({ length: 10 }, () => TASK_TYPES).flat());
    expect(set.tasks('train', 60, 5)).toEqual(tasks);
    expect(createHouseholdTaskSet().tasks('train', 60, 5)).toEqual(tasks);
    expect(set.tasks('train', 60, 6)).not.toEqual(tasks);
    expect(set.tasks('train', 30, 5)).toEqual(tasks.slice(0, 30));
  });

  it('never occur in two splits; seen tasks play in train rooms, unseen ones elsewhere', () => {
    const counts = { train: 3000, seen: 1000, unseen: 1000 };
    const [train, seen, unseen] = SPLITS.map((split) => set.tasks(split, counts[split], 1));
    const trained = new Set(train!.map(({ id }) => id));
    const pool = makeRooms(resolveOptions({}));
    const rooms = new Set(pool.train.map(({ id }) => id));
    for (const task of train!) expect(rooms.has(task.room)).toBe(true);
    for (const task of seen!) {
      expect(trained.has(task.id)).toBe(false);
      expect(rooms.has(task.room)).toBe(true);
    }
    const heldOut = new Set(pool.unseen.map(({ id }) => id));
    for (const task of unseen!) expect(heldOut.has(task.room)).toBe(true);
    expect([...heldOut].filter((id) => rooms.has(id))).toEqual([]);
  });

  it('can be restricted to some types', () => {
    const some = createHouseholdTaskSet({ types: ['cool', 'look'] });
    expect(some.types).toEqual(['look', 'cool']);
    expect(new Set(some.tasks('seen', 40, 1).map(({ type }) => type))).toEqual(new Set(['look', 'cool']));
  });

  it('can be had whole: each that the expert can do, once, in a fixed order', () => {
    const some = createHouseholdTaskSet({ rooms: 6, maxSteps: 14 });
    for (const split of SPLITS) {
      const all = some.allTasks(split);
      expect(createHouseholdTaskSet({ rooms: 6, maxSteps: 14 }).allTasks(split)).toEqual(all);
      const drawn = some.tasks(split, all.length, 3);
      expect(drawn.map(({ id }) => id).sort()).toEqual(all.map(({ id }) => id).sort());
      expect(() => some.tasks(split, all.length + 1, 3)).toThrow(`has only ${all.length} tasks`);
    }
  });

  it('run out with a word of advice', () => {
    expect(() => set.tasks('seen', 1e6, 1)).toThrow(/split seen has only \d+ tasks, not 1000000/);
    // Three steps suffice for no task at all but looking at what lies by the lamp.
    expect(() => createHouseholdTaskSet({ maxSteps: 3, types: ['pick'] }).tasks('train', 1, 1)).toThrow(
      'has only 0 tasks',
    );
  });
});
