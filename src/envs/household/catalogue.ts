/** What rooms are furnished with: kinds of places, kinds of things, and which belong in which room. */

/** A `house` is all the other rooms at once, for large worlds. */
export type RoomKind = 'kitchen' | 'bedroom' | 'lounge' | 'bathroom' | 'house';

/** What a place can do to a thing that is held there. */
export type Treatment = 'clean' | 'heat' | 'cool';

export interface PlaceKind {
  readonly name: string;
  /** Starts closed and must be opened. */
  readonly openable: boolean;
  /** Things lie in it rather than on it. */
  readonly hollow: boolean;
  readonly treatment: Treatment | null;
  /** Most of its kind in one room. */
  readonly most: number;
}

export interface ThingKind {
  readonly name: string;
  readonly treatments: readonly Treatment[];
}

/** Most things of one kind in a room. */
export const MOST_OF_A_THING = 3;

type PlaceFeatures = Partial<Omit<PlaceKind, 'name'>>;

const place = (name: string, features: PlaceFeatures = {}): PlaceKind => {
  return { name, openable: false, hollow: features.openable ?? false, treatment: null, most: 1, ...features };
};

const PLACES = {
  fridge: place('fridge', { openable: true, treatment: 'cool' }),
  microwave: place('microwave', { openable: true, treatment: 'heat' }),
  sink: place('sink', { hollow: true, treatment: 'clean' }),
  bed: place('bed'),
  basket: place('basket', { hollow: true }),
  bin: place('bin', { hollow: true }),
  cabinet: place('cabinet', { openable: true, most: 5 }),
  chair: place('chair', { most: 2 }),
  chest: place('chest', { openable: true }),
  closet: place('closet', { openable: true }),
  couch: place('couch'),
  counter: place('counter', { most: 2 }),
  desk: place('desk'),
  drawer: place('drawer', { openable: true, most: 5 }),
  dresser: place('dresser', { openable: true }),
  rack: place('rack'),
  safe: place('safe', { openable: true }),
  shelf: place('shelf', { most: 3 }),
  stool: place('stool', { most: 2 }),
  stove: place('stove'),
  table: place('table', { most: 2 }),
  tub: place('tub', { hollow: true }),
} as const satisfies Record<string, PlaceKind>;

/** Every kind of place by name. */
export const PLACE_KINDS: ReadonlyMap<string, PlaceKind> = new Map(Object.entries(PLACES));

interface Furnishing {
  /** Places that the room always has. */
  readonly fixed: readonly PlaceKind[];
  /** Places to fill up with. */
  readonly storage: readonly PlaceKind[];
  readonly things: readonly ThingKind[];
  /** Whether there is a lamp, on some place that things lie on; `fixed` then has such a place. */
  readonly lamp: boolean;
}

const things = (treatments: readonly Treatment[], ...names: readonly string[]): ThingKind[] =>
  names.map((name) => ({ name, treatments }));

const KITCHEN: Furnishing = {
  fixed: [PLACES.fridge, PLACES.microwave, PLACES.sink],
  storage: [
    PLACES.cabinet,
    PLACES.counter,
    PLACES.drawer,
    PLACES.table,
    PLACES.shelf,
    PLACES.stove,
    PLACES.bin,
    PLACES.rack,
  ],
  things: [
    ...things(['clean', 'heat', 'cool'], 'apple', 'bowl', 'cup', 'mug', 'plate', 'potato', 'tomato'),
    ...things(['heat', 'cool'], 'bread', 'egg'),
    ...things(['clean', 'cool'], 'lettuce', 'pan', 'pot'),
    ...things(['clean'], 'fork', 'knife', 'spoon'),
  ],
  lamp: false,
};

const BATHROOM: Furnishing = {
  fixed: [PLACES.sink],
  storage: [
    PLACES.cabinet,
    PLACES.counter,
    PLACES.drawer,
    PLACES.shelf,
    PLACES.tub,
    PLACES.basket,
    PLACES.bin,
    PLACES.rack,
    PLACES.stool,
  ],
  things: [...things(['clean'], 'brush', 'cloth', 'comb', 'razor', 'sponge'), ...things([], 'soap', 'towel', 'candle')],
  lamp: false,
};

const BEDROOM: Furnishing = {
  fixed: [PLACES.desk],
  storage: [
    PLACES.bed,
    PLACES.drawer,
    PLACES.dresser,
    PLACES.shelf,
    PLACES.closet,
    PLACES.chest,
    PLACES.chair,
    PLACES.basket,
  ],
  things: things([], 'book', 'disc', 'key', 'laptop', 'pen', 'pencil', 'phone', 'pillow', 'watch'),
  lamp: true,
};

const LOUNGE: Furnishing = {
  fixed: [PLACES.table],
  storage: [
    PLACES.couch,
    PLACES.drawer,
    PLACES.cabinet,
    PLACES.shelf,
    PLACES.safe,
    PLACES.chair,
    PLACES.stool,
    PLACES.basket,
  ],
  things: things([], 'book', 'box', 'card', 'key', 'newspaper', 'phone', 'remote', 'statue', 'vase'),
  lamp: true,
};

const unique = <T extends { readonly name: string }>(items: readonly T[]): T[] => [
  ...new Map(items.map((item) => [item.name, item])).values(),
];

const ROOMS = [KITCHEN, BEDROOM, LOUNGE, BATHROOM];
const HOUSE: Furnishing = {
  fixed: unique(ROOMS.flatMap(({ fixed }) => fixed)),
  storage: unique(ROOMS.flatMap(({ storage }) => storage)),
  things: unique(ROOMS.flatMap((room) => room.things)),
  lamp: true,
};

export const FURNISHINGS: Readonly<Record<RoomKind, Furnishing>> = {
  kitchen: KITCHEN,
  bedroom: BEDROOM,
  lounge: LOUNGE,
  bathroom: BATHROOM,
  house: HOUSE,
};

export const LAMP = 'lamp';

/** Places for which every room has enough kinds, and for which only the whole house has. */
export const MOST_PLACES_IN_A_ROOM = 12;
export const MOST_PLACES = 36;

/** Whether a kind of thing may be found in, or asked to be put in, a kind of place: appliances hold what they treat. */
export function belongs(thing: ThingKind, where: PlaceKind): boolean {
  return where.treatment === null || thing.treatments.includes(where.treatment);
}

/** Whether things lie in rather than on a place. */
export function sideOf(where: PlaceKind): 'in' | 'on' {
  return where.openable || where.hollow ? 'in' : 'on';
}
