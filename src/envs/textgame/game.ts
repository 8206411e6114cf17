/**
 * A text game: a problem played through commands. After each step the game says what happened and which commands it
 * would accept now. It behaves as TextWorld's PDDL games do, except that its commands need no planner.
 */
import { Expander, type Rule } from './expander.ts';
import { compileRules, type GameLogic } from './logic.ts';
import { compareCodePoints, type NamingRule, nameById } from './naming.ts';
import { type Problem, parseProblem } from './pddl.ts';
import type { Node } from './template.ts';
import { type BoundAction, type Difference, World } from './world.ts';

/** What the player learns after `reset` or `step`. */
export interface GameTurn {
  readonly feedback: string;
  /** Commands that the game accepts now, each once, in the order of their code points. */
  readonly admissible: readonly string[];
  readonly won: boolean;
  /** 1 when won, else 0. */
  readonly score: number;
  readonly done: boolean;
}

export interface GameOptions {
  /** How objects are called; by their ids unless given. */
  readonly naming?: NamingRule;
  /** Texts that replace symbols of the grammar in this game, for example `task`. */
  readonly symbols?: Readonly<Record<string, string>>;
  /** What the game answers to a command that it does not know. */
  readonly unknownCommand?: string;
}

/**
 * A point in a game to come back to, in any game of the same logic and problem. Light: what changed, and the commands.
 */
export interface GameSnapshot {
  readonly difference: Difference;
  readonly commands: Commands;
  readonly turn: GameTurn;
}

/** What the commands of a turn stand for. */
type Commands = ReadonlyMap<string, GroundAction>;

/** An action that applies now. */
interface GroundAction {
  /** Place in the logic's schemas. */
  readonly action: number;
  /** Objects of the parameters. */
  readonly objects: Int32Array;
}

/**
 * White space that Python's `strip` removes, as the original does to commands; JavaScript's `trim` differs in a few
 * characters.
 */
const SPACE = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+';
const OUTER_SPACE = new RegExp(`^${SPACE}|${SPACE}$`, 'g');

/** Most commands whose text is kept per action. */
const MAX_CACHED_COMMANDS = 1e6;

export class Game {
  private readonly world: World;
  private readonly expander: Expander;
  private readonly intro: readonly Node[];
  private readonly unknownCommand: string;
  private readonly commandTexts: readonly Map<number, string>[];
  private commands: Commands = new Map();
  /** Commands found so far, while a search runs. */
  private found = new Map<string, GroundAction>();
  private readonly start: GameSnapshot;
  private turn: GameTurn;

  /**
   * Loads a game and starts it.
   *
   * @param problem a parsed problem or its PDDL text.
   * @throws {ProxmoError} `parse` if the problem or a replaced symbol does not fit; `environment` if the grammar cannot
   * write the first text.
   */
  constructor(logic: GameLogic, problem: Problem | string, options: GameOptions = {}) {
    this.unknownCommand = options.unknownCommand ?? 'Nothing happens.';
    this.intro = logic.compiler.compile('#intro#');
    const replaced = new Map<string, readonly Rule[]>();
    for (const [symbol, rhs] of Object.entries(options.symbols ?? {})) {
      replaced.set(symbol, compileRules([{ rhs, condition: null }], logic.compiler));
    }
    const parsed = typeof problem === 'string' ? parseProblem(problem) : problem;
    this.world = new World(logic, parsed, options.naming ?? nameById, (action) => this.collect(action));
    this.commandTexts = this.world.actions.map(() => new Map());
    const { types } = logic.vocabulary;
    this.expander = new Expander(
      {
        relations: this.world.textRelations,
        names: this.world.names,
        ids: this.world.ids,
        rules: (symbol) => replaced.get(symbol) ?? logic.rules.get(symbol),
        isMember: (type) => (type === 'object' ? null : this.world.isMember[types.get(type) ?? -1]),
      },
      logic.compiler.variables.list,
    );
    this.turn = this.observe(this.expander.expand(this.intro));
    this.start = this.save();
  }

  /** Goes back to the start. */
  reset(): GameTurn {
    return this.restore(this.start);
  }

  /**
   * Types a command; blank space around it does not count. A command that is not admissible changes nothing.
   * Once the game is done, the last turn is returned again.
   */
  step(command: string): GameTurn {
    if (this.turn.done) return this.turn;
    const ground = this.commands.get(command.replace(OUTER_SPACE, ''));
    if (ground === undefined) {
      this.turn = { ...this.turn, feedback: this.unknownCommand };
      return this.turn;
    }
    const action = this.world.actions[ground.action]!;
    action.frame.set(ground.objects);
    this.world.apply(action);
    this.turn = this.observe(this.expand(action, action.schema.feedback));
    return this.turn;
  }

  /** The current point of the game. */
  save(): GameSnapshot {
    return { difference: this.world.difference(), commands: this.commands, turn: this.turn };
  }

  /** Goes to a saved point and returns its turn. */
  restore(snapshot: GameSnapshot): GameTurn {
    this.world.restore(snapshot.difference);
    this.commands = snapshot.commands;
    this.turn = snapshot.turn;
    return this.turn;
  }

  private observe(feedback: string): GameTurn {
    const won = this.world.won();
    return { feedback, admissible: this.findCommands(), won, score: won ? 1 : 0, done: won };
  }

  private findCommands(): readonly string[] {
    // A snapshot may hold the last map, so it is left as it is.
    this.found = new Map();
    for (const action of this.world.actions) action.search();
    this.commands = this.found;
    return [...this.commands.keys()].sort(compareCodePoints);
  }

  /** Notes the action whose frame is filled, unless it would change nothing. */
  private collect(action: BoundAction): void {
    const { schema, frame } = action;
    const { idle } = schema;
    if (idle?.every((ways) => ways.some((pairs) => pairs.every(([a, b]) => frame[a] === frame[b])))) return;
    const command = this.commandText(action);
    const objects = frame.slice(0, schema.parameters.length);
    // Where actions share a command, the first schema counts, and then the first objects: searches run in an order of
    // their own.
    const known = this.found.get(command);
    if (known === undefined || (known.action === action.index && isBefore(objects, known.objects))) {
      this.found.set(command, { action: action.index, objects });
    }
  }

  private commandText(action: BoundAction): string {
    const { commandParameters, template } = action.schema;
    if (commandParameters === null) return this.expand(action, template);
    let key = 0;
    for (const parameter of commandParameters) key = key * this.world.objects + action.frame[parameter]!;
    const texts = this.commandTexts[action.index]!;
    let text = texts.get(key);
    if (text === undefined) {
      text = this.expand(action, template);
      if (key <= Number.MAX_SAFE_INTEGER && texts.size < MAX_CACHED_COMMANDS) texts.set(key, text);
    }
    return text;
  }

  /** A text of an action, with its parameters bound. */
  private expand(action: BoundAction, template: readonly Node[]): string {
    const { schema, frame } = action;
    const { bindings } = this.expander;
    schema.textVariables.forEach((variable, parameter) => {
      bindings[variable] = frame[parameter]!;
    });
    const text = this.expander.expand(template);
    for (const variable of schema.textVariables) bindings[variable] = -1;
    return text;
  }
}

/** Lexicographic order. */
function isBefore(a: Int32Array, b: Int32Array): boolean {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at >= 0 && a[at]! < b[at]!;
}
