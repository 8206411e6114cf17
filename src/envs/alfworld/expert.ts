/**
 * A hand-written player for ALFWorld. Of a game it knows the instruction and, turn by turn, the commands on offer and
 * what they did; of homes, where things usually are (`usualPlaces.ts`). The commands tell all that it needs: `examine`
 * names the places that are here and the thing in hand, `take` what lies in them, `open` which of them are shut, and
 * one command does for all places that share a spot.
 */
import { ProxmoError } from '../../base/errors.ts';
import type { Expert, Turn } from '../environment.ts';
import { searchRank } from './usualPlaces.ts';

type Treatment = 'heat' | 'cool' | 'clean';

/** What an instruction asks for. */
interface Goal {
  /** Kind of thing. */
  readonly thing: string;
  /** How many of it. */
  readonly count: number;
  readonly treatment: Treatment | null;
  /** Kind of place to put it in, or null if it is to be looked at under a lamp. */
  readonly target: string | null;
  /** Kind of lamp. */
  readonly lamp: string | null;
}

/** The kind of place that each treatment takes place at. */
const APPLIANCE: Readonly<Record<Treatment, string>> = { heat: 'microwave', cool: 'fridge', clean: 'sinkbasin' };
/** The treatment after which a thing no longer is as another one left it. */
const UNDONE_BY: Readonly<Partial<Record<Treatment, Treatment>>> = { heat: 'cool', cool: 'heat' };

export class AlfworldExpert implements Expert {
  private goal: Goal = { thing: '', count: 1, treatment: null, target: null, lamp: null };
  /** Every place of the room. */
  private places: readonly string[] = [];
  /** What can be taken from the places looked into, as last seen. */
  private contents = new Map<string, readonly string[]>();
  /** Places that the player has stood at: the lamp is at none of them unless it was noticed. */
  private visited = new Set<string>();
  /** The places at the spot where the player stands. */
  private here: readonly string[] = [];
  private held: string | null = null;
  /** Where the lamp stands, once seen. */
  private lampPlace: string | null = null;
  /** Things that were treated as the goal asks. */
  private treated = new Set<string>();
  private lastAction: string | null = null;

  reset(instruction: string): void {
    this.goal = readInstruction(instruction);
    this.places = [];
    this.contents = new Map();
    this.visited = new Set();
    this.here = [];
    this.held = null;
    this.lampPlace = null;
    this.treated = new Set();
    this.lastAction = null;
  }

  act({ observation, admissibleActions }: Turn, taken: string | null = this.lastAction): string {
    if (admissibleActions === null)
      throw new ProxmoError('environment', 'The ALFWorld expert needs the list of admissible actions.');
    if (this.places.length === 0)
      this.places = admissibleActions.flatMap((action) => /^go to (.+)$/.exec(action)?.slice(1) ?? []);
    this.noteTreatment(taken, observation);
    this.look(admissibleActions);
    this.lastAction = this.decide(admissibleActions);
    return this.lastAction;
  }

  private noteTreatment(taken: string | null, observation: string): void {
    const match = /^(heat|cool|clean) (.+) with /.exec(taken ?? '');
    if (match === null || !observation.startsWith(`You ${match[1]} the ${match[2]} using`)) return;
    const { treatment } = this.goal;
    if (match[1] === treatment) this.treated.add(match[2]!);
    else if (match[1] === UNDONE_BY[treatment ?? 'clean']) this.treated.delete(match[2]!);
  }

  /** Takes notes of what the commands on offer say of this spot. */
  private look(actions: readonly string[]): void {
    const examined = actions.flatMap((action) => /^examine (.+)$/.exec(action)?.slice(1) ?? []);
    this.here = examined.filter((name) => this.places.includes(name));
    this.held = examined.find((name) => !this.places.includes(name)) ?? null;
    for (const place of this.here) this.visited.add(place);
    if (this.lampHere(actions) !== undefined) this.lampPlace = this.here[0] ?? null;
    if (this.held !== null) {
      // Some things lie in two places at once; what is in the hand is to be had nowhere. The list does not say what
      // else is here.
      for (const [place, names] of this.contents) this.contents.set(place, without(names, this.held));
      return;
    }
    for (const place of this.here) {
      if (!actions.includes(`open ${place}`)) this.contents.set(place, thingsToTake(place, actions));
    }
  }

  /** The command that turns on the lamp of the goal, if it is here. */
  private lampHere(actions: readonly string[]): string | undefined {
    return actions.find(
      (action) => action.startsWith('use ') && kindOf(action.slice('use '.length)) === this.goal.lamp,
    );
  }

  private decide(actions: readonly string[]): string {
    const { thing, target, treatment } = this.goal;
    if (this.held === null) return this.fetch(actions);
    if (kindOf(this.held) !== thing) return this.putAway(actions);
    if (treatment !== null && !this.treated.has(this.held)) return this.treat(treatment, actions);
    return target === null ? this.light(actions) : this.deliver(target, actions);
  }

  /** Takes a thing that the goal asks for, or looks for one. */
  private fetch(actions: readonly string[]): string {
    const found = this.locate();
    if (found === null) return this.explore(this.goal.thing, this.contents, actions);
    const take = `take ${found.name} from ${found.place}`;
    if (actions.includes(take)) return take;
    return this.approach(found.place, actions);
  }

  /** A thing of the right kind that is not where it should be, nearest first. */
  private locate(): { readonly place: string; readonly name: string } | null {
    const done = this.goal.count === 2 ? this.gatheringPlace() : null;
    for (const place of [...this.here, ...this.places]) {
      if (place === done) continue;
      for (const name of this.contents.get(place) ?? []) {
        if (kindOf(name) !== this.goal.thing) continue;
        if (this.goal.count === 1 && kindOf(place) === this.goal.target && this.isReady(name)) continue;
        return { place, name };
      }
    }
    return null;
  }

  private isReady(name: string): boolean {
    return this.goal.treatment === null || this.treated.has(name);
  }

  /** The place of the target's kind that holds one of the things already: two must lie in the same one. */
  private gatheringPlace(): string | null {
    const { thing, target } = this.goal;
    const holds = (place: string): boolean => this.contents.get(place)?.some((name) => kindOf(name) === thing) ?? false;
    return this.places.find((place) => kindOf(place) === target && holds(place)) ?? null;
  }

  /** Opens or goes to the place where a thing most likely is for the steps that it takes. */
  private explore(
    kind: string,
    known: { has(place: string): boolean; clear(): void },
    actions: readonly string[],
  ): string {
    let unknown = this.places.filter((place) => !known.has(place));
    if (unknown.length === 0) {
      // Everything was looked into, so a note is out of date: the search starts again.
      known.clear();
      unknown = this.places.filter((place) => !this.here.includes(place));
    }
    if (unknown.length === 0) return 'look';
    // What is here takes one step, whether it must be opened or not.
    const rank = (place: string): number => searchRank(kind, kindOf(place)) - (this.here.includes(place) ? 1 : 0);
    return this.approach(
      unknown.reduce((best, place) => (rank(place) < rank(best) ? place : best)),
      actions,
    );
  }

  /** Opens a place that is here, goes to one that is not. */
  private approach(place: string, actions: readonly string[]): string {
    const open = `open ${place}`;
    if (actions.includes(open)) return open;
    const go = `go to ${place}`;
    return actions.includes(go) ? go : 'look';
  }

  /** Gets rid of a thing that is of no use: here, or where there is room for it. */
  private putAway(actions: readonly string[]): string {
    const put = actions.find((action) => /^(move|put) /.test(action));
    if (put !== undefined) return put;
    const shut = actions.find((action) => action.startsWith('open '));
    if (shut !== undefined) return shut;
    const next = (this.places.indexOf(this.here.at(-1) ?? '') + 1) % this.places.length;
    return this.approach(this.places[next]!, actions);
  }

  private treat(treatment: Treatment, actions: readonly string[]): string {
    const action = actions.find((name) => name.startsWith(`${treatment} ${this.held} with `));
    if (action !== undefined) return action;
    const appliance = this.places.find((place) => kindOf(place) === APPLIANCE[treatment] && !this.here.includes(place));
    if (appliance === undefined)
      throw new ProxmoError('environment', `The ALFWorld expert knows no place here to ${treatment} things.`);
    return this.approach(appliance, actions);
  }

  private deliver(target: string, actions: readonly string[]): string {
    const place = (this.goal.count === 2 ? this.gatheringPlace() : null) ?? this.nearest(target);
    const put = actions.find(
      (action) => action === `move ${this.held} to ${place}` || action === `put ${this.held} in/on ${place}`,
    );
    return put ?? this.approach(place, actions);
  }

  /** A place of a kind: here, else one known to stand open, else the first. */
  private nearest(kind: string): string {
    const suited = this.places.filter((place) => kindOf(place) === kind);
    const place =
      suited.find((name) => this.here.includes(name)) ?? suited.find((name) => this.contents.has(name)) ?? suited[0];
    if (place === undefined) throw new ProxmoError('environment', `The ALFWorld expert knows no ${kind} here.`);
    return place;
  }

  private light(actions: readonly string[]): string {
    const use = this.lampHere(actions);
    if (use !== undefined) return use;
    return this.lampPlace === null
      ? this.explore(this.goal.lamp!, this.visited, actions)
      : this.approach(this.lampPlace, actions);
  }
}

/** What can be taken from a place. */
function thingsToTake(place: string, actions: readonly string[]): readonly string[] {
  const end = ` from ${place}`;
  const takes = actions.filter((action) => action.startsWith('take ') && action.endsWith(end));
  return takes.map((action) => action.slice('take '.length, -end.length));
}

function without(names: readonly string[], name: string): readonly string[] {
  return names.includes(name) ? names.filter((other) => other !== name) : names;
}

/** `mug` of `mug 1`. */
function kindOf(name: string): string {
  return name.slice(0, name.lastIndexOf(' '));
}

/** The sentences of ALFWorld's tasks. */
const SENTENCES: readonly { readonly pattern: RegExp; readonly treatment?: Treatment; readonly count?: number }[] = [
  { pattern: /^(?:put|find) two (?<thing>\w+) (?:in|and put them in) (?<target>\w+)$/, count: 2 },
  {
    pattern: /^(?:put a hot (?<thing>\w+) in|heat some (?<thing2>\w+) and put it in) (?<target>\w+)$/,
    treatment: 'heat',
  },
  {
    pattern: /^(?:put a cool (?<thing>\w+) in|cool some (?<thing2>\w+) and put it in) (?<target>\w+)$/,
    treatment: 'cool',
  },
  {
    pattern: /^(?:put a clean (?<thing>\w+) in|clean some (?<thing2>\w+) and put it in) (?<target>\w+)$/,
    treatment: 'clean',
  },
  { pattern: /^put (?:a|some) (?<thing>\w+) (?:in|on) (?<target>\w+)$/ },
  { pattern: /^(?:look at|examine the) (?<thing>\w+) (?:under|with) the (?<lamp>\w+)$/ },
];

function readInstruction(instruction: string): Goal {
  const sentence = instruction.trim().replace(/\.$/, '');
  for (const { pattern, treatment = null, count = 1 } of SENTENCES) {
    const groups = pattern.exec(sentence)?.groups;
    if (!groups) continue;
    const { thing, thing2, target, lamp } = groups;
    return { thing: (thing ?? thing2)!, count, treatment, target: target ?? null, lamp: lamp ?? null };
  }
  throw new ProxmoError('environment', `The ALFWorld expert does not understand the instruction "${instruction}".`);
}
