/**
 * A hand-written player for the household. Of a game it knows nothing but what it reads; of households, which kinds of
 * places must be opened and what a sink, a microwave and a fridge are for. It keeps notes of what it has seen where,
 * searches the places round and round, those that stand open first, and then does what the instruction asks.
 */
import { ProxmoError } from '../../base/errors.ts';
import type { Expert, Turn } from '../environment.ts';
import { LAMP, PLACE_KINDS, type Treatment } from './catalogue.ts';

/** What an instruction asks for. */
interface Goal {
  /** Kind of thing, or null for any. */
  readonly thing: string | null;
  /** Kind of place, or null for a lamp. */
  readonly target: string | null;
  readonly treatment: Treatment | null;
}

/** The treatment after which a thing no longer is as another one left it. */
const UNDONE_BY: Readonly<Partial<Record<Treatment, Treatment>>> = { heat: 'cool', cool: 'heat' };

const TREATMENTS: Readonly<Record<string, Treatment>> = { clean: 'clean', hot: 'heat', cold: 'cool' };

export class HouseholdExpert implements Expert {
  private goal: Goal = { thing: null, target: null, treatment: null };
  /** All places, in the order in which they are searched. */
  private places: readonly string[] = [];
  /** What was last seen in the places looked at. */
  private contents = new Map<string, readonly string[]>();
  private at: string | null = null;
  private held: string | null = null;
  /** Things that were treated as the goal asks. */
  private treated = new Set<string>();
  /** Things that are where they should be. */
  private placed = new Set<string>();
  /** It has switched on a lamp. */
  private hasLight = false;
  private lastAction: string | null = null;

  /**
   * @param isHasty it overlooks what must be done to the thing, or else which thing it is, and stops as soon as it has
   * put something away
   */
  constructor(private readonly isHasty = false) {}

  reset(instruction: string): void {
    const goal = readInstruction(instruction);
    this.goal = this.isHasty ? overlookPart(goal) : goal;
    this.places = [];
    this.contents = new Map();
    this.at = null;
    this.held = null;
    this.treated = new Set();
    this.placed = new Set();
    this.hasLight = false;
    this.lastAction = null;
  }

  act(turn: Turn, taken: string | null = this.lastAction): string {
    if (turn.admissibleActions === null)
      throw new ProxmoError('environment', 'The household expert needs the list of admissible actions.');
    this.read(turn, taken);
    const action = this.decide(turn.admissibleActions);
    this.lastAction = action;
    return action;
  }

  /** Takes notes of the action that was taken and of what is seen now. */
  private read({ observation, admissibleActions }: Turn, taken: string | null): void {
    const [verb = '', ...rest] = (taken ?? '').split(' ');
    const object = rest.join(' ');
    if (taken === null) this.places = searchOrder(admissibleActions!);
    if (verb === 'go') this.at = object;
    if (verb === 'use') this.hasLight = true;
    if (verb === 'take') {
      this.held = object;
      this.placed.delete(object);
      this.noteContents((here) => here.filter((name) => name !== object));
    }
    if (verb === 'put') {
      this.held = null;
      if (this.isWhereItShouldBe(object)) this.placed.add(object);
      this.noteContents((here) => [...here, object]);
    }
    if (verb === this.goal.treatment) this.treated.add(object);
    else if (verb === UNDONE_BY[this.goal.treatment ?? 'clean']) this.treated.delete(object);
    const seen = /^(?:in|on) (\w+(?: \d+)?) you see ([^.]*)\./.exec(observation);
    if (seen !== null) this.contents.set(seen[1]!, seen[2] === 'nothing' ? [] : seen[2]!.split(', '));
  }

  get done(): boolean {
    return this.isHasty && (this.goal.target === null ? this.hasLight : this.placed.size > 0);
  }

  private noteContents(change: (here: readonly string[]) => readonly string[]): void {
    const here = this.at === null ? undefined : this.contents.get(this.at);
    if (this.at !== null && here !== undefined) this.contents.set(this.at, change(here));
  }

  private isWhereItShouldBe(name: string): boolean {
    const { thing, target } = this.goal;
    return this.at !== null && kindOf(this.at) === target && isOfKind(name, thing) && this.isTreated(name);
  }

  private isTreated(name: string): boolean {
    return this.goal.treatment === null || this.treated.has(name);
  }

  private decide(actions: readonly string[]): string {
    const { thing, target, treatment } = this.goal;
    if (this.held !== null) {
      if (!isOfKind(this.held, thing)) return this.putAway(this.held, actions);
      if (treatment !== null && !this.isTreated(this.held)) return this.treat(treatment, actions);
      return target === null ? this.light(actions) : this.place(target, actions);
    }
    if (this.at !== null && this.isClosed(this.at, actions) && !this.contents.has(this.at)) return `open ${this.at}`;
    const found = this.locate((name) => isOfKind(name, thing) && !this.placed.has(name));
    if (found === null) return this.explore();
    return this.at === found.place ? `take ${found.name}` : `go ${found.place}`;
  }

  /** Gets rid of a thing that is of no use: here, or where there is room for it. */
  private putAway(name: string, actions: readonly string[]): string {
    const put = `put ${name}`;
    if (actions.includes(put)) return put;
    if (this.at !== null && this.isClosed(this.at, actions)) return `open ${this.at}`;
    const next = this.at === null ? 0 : (this.places.indexOf(this.at) + 1) % this.places.length;
    return `go ${this.places[next]}`;
  }

  private treat(treatment: Treatment, actions: readonly string[]): string {
    const action = `${treatment} ${this.held}`;
    return actions.includes(action)
      ? action
      : `go ${this.findPlace((kind) => PLACE_KINDS.get(kind)?.treatment === treatment, treatment)}`;
  }

  private light(actions: readonly string[]): string {
    const use = actions.find((action) => action.startsWith('use '));
    if (use !== undefined) return use;
    if (this.at !== null && this.isClosed(this.at, actions) && !this.contents.has(this.at)) return `open ${this.at}`;
    const lamp = this.locate((name) => kindOf(name) === LAMP);
    return lamp === null ? this.explore() : `go ${lamp.place}`;
  }

  private place(target: string, actions: readonly string[]): string {
    // Two things of a kind must go to the same place, so the choice is always the first of its kind.
    const place = this.findPlace((kind) => kind === target, target);
    if (this.at !== place) return `go ${place}`;
    return this.isClosed(place, actions) ? `open ${place}` : `put ${this.held}`;
  }

  private isClosed(place: string, actions: readonly string[]): boolean {
    return actions.includes(`open ${place}`);
  }

  private locate(wanted: (name: string) => boolean): { place: string; name: string } | null {
    // What lies here comes first.
    const order = this.at === null ? this.places : [this.at, ...this.places];
    for (const place of order) {
      const name = this.contents.get(place)?.find((item) => wanted(item) && item !== this.held);
      if (name !== undefined) return { place, name };
    }
    return null;
  }

  /** Goes on to the next place not looked into. */
  private explore(): string {
    const next = this.at === null ? 0 : this.places.indexOf(this.at) + 1;
    const round = [...this.places.slice(next), ...this.places.slice(0, next)];
    const place = round.find((name) => !this.contents.has(name) && name !== this.at);
    if (place !== undefined) return `go ${place}`;
    // Everything was looked into, so a note is out of date: the search starts again.
    this.contents.clear();
    return `go ${round[0]}`;
  }

  private findPlace(wanted: (kind: string) => boolean, what: string): string {
    const place = this.places.find((name) => wanted(kindOf(name)));
    if (place === undefined)
      throw new ProxmoError('environment', `The household expert knows no place here for ${what}.`);
    return place;
  }
}

/** The places that can be gone to: those that stand open first, as they cost one step instead of two. */
function searchOrder(actions: readonly string[]): readonly string[] {
  const places = actions.flatMap((action) => (action.startsWith('go ') ? [action.slice('go '.length)] : []));
  const mustOpen = (name: string): number => (PLACE_KINDS.get(kindOf(name))?.openable ? 1 : 0);
  return places.sort((a, b) => mustOpen(a) - mustOpen(b));
}

/** `mug` of `mug` and of `mug 2`. */
function kindOf(name: string): string {
  return name.split(' ', 1)[0]!;
}

/** Whether a thing is of a kind; lamps stand fast and are of no kind that is looked for. */
function isOfKind(name: string, kind: string | null): boolean {
  return kind === null ? kindOf(name) !== LAMP : kindOf(name) === kind;
}

function overlookPart(goal: Goal): Goal {
  return goal.treatment === null ? { ...goal, thing: null } : { ...goal, treatment: null };
}

function readInstruction(instruction: string): Goal {
  const look = /^look at an? (\w+) under an? lamp\.$/.exec(instruction);
  if (look !== null) return { thing: look[1]!, target: null, treatment: null };
  const put = /^put an? (?:(clean|hot|cold) )?(\w+) (?:and another \w+ )?(?:in|on) an? (\w+)\.$/.exec(instruction);
  if (put === null)
    throw new ProxmoError('environment', `The household expert does not understand the instruction "${instruction}".`);
  const [, adjective, thing, target] = put;
  return {
    thing: thing!,
    target: target!,
    treatment: adjective === undefined ? null : TREATMENTS[adjective]!,
  };
}
