/**
 * Rooms: which places there are and what lies where. The rooms of a task set are drawn from its world seed, one after
 * another. A room belongs to the train or to the unseen split by a hash of what it contains, numbering aside, so the
 * same room can never be in both.
 */
import { ProxmoError } from '../../base/errors.ts';
import { hashText, RandomStream } from '../random.ts';
import {
  belongs,
  FURNISHINGS,
  LAMP,
  MOST_OF_A_THING,
  MOST_PLACES_IN_A_ROOM,
  type PlaceKind,
  type RoomKind,
  sideOf,
  type ThingKind,
} from './catalogue.ts';
import type { ResolvedOptions, TaskType } from './options.ts';

export interface PlacedThing {
  /** For example `mug_2`. */
  readonly id: string;
  readonly kind: ThingKind;
}

export interface Place {
  /** For example `drawer_1`. */
  readonly id: string;
  readonly kind: PlaceKind;
  readonly things: readonly PlacedThing[];
  readonly lamp: boolean;
}

export interface Room {
  /** For example `kitchen-12`. */
  readonly id: string;
  readonly kind: RoomKind;
  readonly places: readonly Place[];
  /** What the room contains, numbering aside: equal rooms have equal signatures. */
  readonly signature: string;
}

export interface RoomPool {
  readonly train: readonly Room[];
  readonly unseen: readonly Room[];
}

/** Kitchens come twice: half of the task types need one. */
const ROOM_CYCLE: readonly RoomKind[] = ['kitchen', 'bedroom', 'kitchen', 'lounge', 'bathroom'];
/** One in this many rooms is held out as unseen. */
const UNSEEN_SHARE = 5;
/** Most things of the initial state in one place; keeps observations short. */
const MOST_THINGS_IN_A_PLACE = 4;

/** Draws in a row that bring nothing new after which there are taken to be no more rooms. */
const MOST_VAIN_DRAWS = 1000;

/**
 * The rooms of a task set: `options.rooms` for train and a quarter as many unseen ones, all different.
 *
 * @throws {ProxmoError} `config` if the sizes admit fewer different rooms.
 */
export function makeRooms(options: ResolvedOptions): RoomPool {
  const train: Room[] = [];
  const unseen: Room[] = [];
  const wantUnseen = Math.ceil(options.rooms / (UNSEEN_SHARE - 1));
  const cycle = ROOM_CYCLE.filter((kind) => options.types.some((type) => hasRoomFor(type, kind)));
  const known = new Set<string>();
  let vain = 0;
  for (let index = 0; train.length < options.rooms || unseen.length < wantUnseen; index++) {
    const isHouse = options.receptacles > MOST_PLACES_IN_A_ROOM;
    const room = makeRoom(isHouse ? 'house' : cycle[index % cycle.length]!, index, options);
    const isUnseen = hashText(`room ${room.signature}`) % UNSEEN_SHARE === 0;
    const [pool, wanted] = isUnseen ? [unseen, wantUnseen] : [train, options.rooms];
    if (pool.length < wanted && !known.has(room.signature)) {
      known.add(room.signature);
      pool.push(room);
      vain = 0;
    } else if (++vain > MOST_VAIN_DRAWS) {
      throw new ProxmoError(
        'config',
        `household: ${options.receptacles} receptacles and ${options.objects} objects make only about ${train.length} different rooms; lower the option rooms, or raise the sizes.`,
      );
    }
  }
  return { train, unseen };
}

/** Whether tasks of a type can be done in a kind of room. */
function hasRoomFor(type: TaskType, kind: RoomKind): boolean {
  const { fixed, lamp } = FURNISHINGS[kind];
  if (type === 'pick' || type === 'pickTwo') return true;
  return type === 'look' ? lamp : fixed.some(({ treatment }) => treatment === type);
}

function makeRoom(kind: RoomKind, index: number, { receptacles, objects, worldSeed }: ResolvedOptions): Room {
  const random = new RandomStream(worldSeed, index);
  const kinds = choosePlaces(kind, receptacles, random);
  const contents: ThingKind[][] = kinds.map(() => []);
  for (const thing of chooseThings(kind, objects, random)) {
    const free = kinds.flatMap((place, i) =>
      belongs(thing, place) && contents[i]!.length < MOST_THINGS_IN_A_PLACE ? [i] : [],
    );
    contents[random.pick(free)]!.push(thing);
  }
  const lampStand = FURNISHINGS[kind].lamp
    ? random.pick(kinds.flatMap((place, i) => (sideOf(place) === 'on' ? [i] : [])))
    : -1;
  const places = number(kinds, contents, lampStand);
  return { id: `${kind}-${index}`, kind, places, signature: signRoom(kind, places) };
}

/** The fixed places of a room and random others, in alphabetical order. */
function choosePlaces(room: RoomKind, count: number, random: RandomStream): readonly PlaceKind[] {
  const { fixed, storage } = FURNISHINGS[room];
  const spare = [...new Set([...fixed, ...storage])].flatMap((kind) => {
    return Array<PlaceKind>(kind.most - (fixed.includes(kind) ? 1 : 0)).fill(kind);
  });
  const chosen = [...fixed, ...random.shuffle(spare)].slice(0, count);
  return chosen.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** Random kinds of things, the first one twice, so that every room has a pair. */
function chooseThings(room: RoomKind, count: number, random: RandomStream): readonly ThingKind[] {
  const kinds = FURNISHINGS[room].things;
  const first = random.pick(kinds);
  const rest = kinds.flatMap((kind) =>
    Array<ThingKind>(kind === first ? MOST_OF_A_THING - 2 : MOST_OF_A_THING).fill(kind),
  );
  return [first, first, ...random.shuffle(rest)].slice(0, count);
}

/** Gives places and things their numbers, in order of places. */
function number(
  kinds: readonly PlaceKind[],
  contents: readonly (readonly ThingKind[])[],
  lampStand: number,
): readonly Place[] {
  const counts = new Map<string, number>();
  const next = (name: string): string => {
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    return `${name}_${count}`;
  };
  return kinds.map((kind, i) => ({
    id: next(kind.name),
    kind,
    things: contents[i]!.map((thing) => ({ id: next(thing.name), kind: thing })),
    lamp: i === lampStand,
  }));
}

function signRoom(kind: RoomKind, places: readonly Place[]): string {
  const parts = places.map(({ kind: { name }, things, lamp }) => {
    const names = things.map((thing) => thing.kind.name);
    return `${name}(${[...names, ...(lamp ? [LAMP] : [])].sort().join(' ')})`;
  });
  return `${kind}: ${parts.sort().join(' ')}`;
}
