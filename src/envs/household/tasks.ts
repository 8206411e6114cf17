/**
 * Tasks: every goal that makes sense in a room, and how goals are worded and written in PDDL. One in five tasks of a
 * train room is held out for the `seen` split, by a hash of the room's contents and the task, so that no task can be in
 * two splits.
 */
import type { Split, Task } from '../environment.ts';
import { hashText } from '../random.ts';
import type { Atom, Condition, Problem, TypedName } from '../textgame/index.ts';
import { belongs, LAMP, type PlaceKind, sideOf, type ThingKind } from './catalogue.ts';
import type { TaskType } from './options.ts';
import type { Place, Room } from './rooms.ts';

/** A goal in a room. Light: the game is made when an episode starts. */
export interface HouseholdTask extends Task {
  readonly type: TaskType;
  readonly split: Split;
  /** Id of the room. */
  readonly room: string;
  /** Kind of thing that the task is about. */
  readonly thing: string;
  /** Kind of place to put it in; for `look`, the lamp. */
  readonly target: string;
}

/** Share of held-out tasks in train rooms. */
const SEEN_SHARE = 5;

/** Every task of a type in a room of the `train` or `unseen` pool that belongs to the split. */
export function tasksOf(room: Room, type: TaskType, split: Split): readonly HouseholdTask[] {
  const goals = type === 'look' ? lookGoals(room) : putGoals(room, type);
  const tasks: HouseholdTask[] = [];
  for (const [thing, target] of goals) {
    const isHeldOut = hashText(`task ${room.signature} ${type} ${thing} ${target}`) % SEEN_SHARE === 0;
    if (split !== 'unseen' && isHeldOut !== (split === 'seen')) continue;
    tasks.push({ id: `${room.id}/${type}-${thing}-${target}`, type, split, room: room.id, thing, target });
  }
  return tasks;
}

function lookGoals(room: Room): readonly (readonly [string, string])[] {
  if (!room.places.some(({ lamp }) => lamp)) return [];
  return [...thingsOf(room).keys()].map((thing) => [thing, LAMP] as const);
}

/** Things and kinds of places that have none of them yet. */
function putGoals(room: Room, type: Exclude<TaskType, 'look'>): readonly (readonly [string, string])[] {
  const treatment = type === 'pick' || type === 'pickTwo' ? null : type;
  if (treatment !== null && !room.places.some(({ kind }) => kind.treatment === treatment)) return [];
  const goals: (readonly [string, string])[] = [];
  const kinds = new Map<string, PlaceKind>(room.places.map(({ kind }) => [kind.name, kind]));
  for (const { kind: thing, places } of thingsOf(room).values()) {
    if (type === 'pickTwo' && places.length < 2) continue;
    if (treatment !== null && !thing.treatments.includes(treatment)) continue;
    for (const target of kinds.values()) {
      if (treatment !== null && target.treatment === treatment) continue;
      if (!belongs(thing, target) || places.some(({ kind }) => kind === target)) continue;
      goals.push([thing.name, target.name]);
    }
  }
  return goals;
}

/** The kinds of things in a room, each with the place of every instance. */
function thingsOf(room: Room): ReadonlyMap<string, { kind: ThingKind; places: Place[] }> {
  const found = new Map<string, { kind: ThingKind; places: Place[] }>();
  for (const place of room.places) {
    for (const { kind } of place.things) {
      const entry = found.get(kind.name);
      if (entry === undefined) found.set(kind.name, { kind, places: [place] });
      else entry.places.push(place);
    }
  }
  return found;
}

const ADJECTIVES = { clean: 'clean', heat: 'hot', cool: 'cold' } as const;

/** What the person is asked to do, for example `put a clean mug in a drawer.` */
export function wordInstruction({ type, thing, target }: HouseholdTask, room: Room): string {
  if (type === 'look') return `look at ${withArticle(thing)} under ${withArticle(target)}.`;
  const kind = room.places.find((place) => place.kind.name === target)!.kind;
  const where = `${sideOf(kind)} ${withArticle(target)}`;
  switch (type) {
    case 'pick':
      return `put ${withArticle(thing)} ${where}.`;
    case 'pickTwo':
      return `put ${withArticle(thing)} and another ${thing} ${where}.`;
    default:
      return `put a ${ADJECTIVES[type]} ${thing} ${where}.`;
  }
}

function withArticle(noun: string): string {
  return `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;
}

/** Words that instructions are made of, besides the kinds of things and places. */
export const INSTRUCTION_TEXTS = [
  'look at a an under',
  'put a an and another in on',
  ...Object.values(ADJECTIVES),
  '.',
];

/** The PDDL problem of a task. */
export function makeProblem(task: HouseholdTask, room: Room): Problem {
  const objects: TypedName[] = [{ name: room.kind, type: 'room' }, { name: 'middle', type: 'spot' }, ...kindsIn(room)];
  const init: Atom[] = [fact('inside', room.kind), fact('at', 'middle')];
  for (const { id, kind, things, lamp } of room.places) {
    objects.push({ name: id, type: 'place' });
    init.push(fact('is', id, kind.name));
    if (kind.openable) init.push(fact('openable', id));
    if (kind.hollow) init.push(fact('hollow', id));
    if (kind.treatment !== null) init.push(fact(`${kind.treatment}s`, id));
    for (const thing of things) {
      objects.push({ name: thing.id, type: 'thing' });
      init.push(fact('is', thing.id, thing.kind.name), fact('in', thing.id, id), fact('portable', thing.id));
      for (const treatment of thing.kind.treatments) init.push(fact(`${treatment}able`, thing.id));
    }
    if (lamp) {
      objects.push({ name: `${LAMP}_1`, type: 'thing' });
      init.push(fact('is', `${LAMP}_1`, LAMP), fact('in', `${LAMP}_1`, id), fact('lamp', `${LAMP}_1`));
    }
  }
  return { domain: 'household', objects, init, goal: makeGoal(task) };
}

function kindsIn(room: Room): readonly TypedName[] {
  const names = room.places.flatMap(({ kind, things, lamp }) => [
    kind.name,
    ...things.map((thing) => thing.kind.name),
    ...(lamp ? [LAMP] : []),
  ]);
  return [...new Set(names)].map((name) => ({ name, type: 'kind' }));
}

function makeGoal({ type, thing, target }: HouseholdTask): Condition {
  const x = { name: '?x', type: 'thing' };
  const y = { name: '?y', type: 'thing' };
  const p = { name: '?p', type: 'place' };
  switch (type) {
    case 'look':
      return exists(
        [x, y, p],
        [atom('is', '?x', thing), atom('held', '?x'), atom('lit', '?y'), atom('in', '?y', '?p'), atom('at', '?p')],
      );
    case 'pickTwo':
      return exists(
        [x, y, p],
        [
          atom('is', '?p', target),
          ...[atom('is', '?x', thing), atom('in', '?x', '?p'), atom('is', '?y', thing), atom('in', '?y', '?p')],
          { kind: 'not', operand: { kind: 'equal', left: '?x', right: '?y' } },
        ],
      );
    default: {
      const treated = type === 'pick' ? [] : [atom(ADJECTIVES[type], '?x')];
      return exists([x, p], [atom('is', '?p', target), atom('is', '?x', thing), atom('in', '?x', '?p'), ...treated]);
    }
  }
}

function exists(variables: readonly TypedName[], operands: readonly Condition[]): Condition {
  return { kind: 'exists', variables, body: { kind: 'and', operands } };
}

function fact(predicate: string, ...args: readonly string[]): Atom {
  return { predicate, args };
}

function atom(predicate: string, ...args: readonly string[]): Condition {
  return { kind: 'atom', predicate, args };
}
