/** The rules of the game engine, each shown on a small workshop of our own. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compileLogic,
  Game,
  type GameOptions,
  type GameTurn,
  type NamingRule,
} from '../../../src/envs/textgame/index.ts';

const DOMAIN = `
(define (domain workshop)
  (:types room item - object tool - item)
  (:predicates (at ?r - room) (in ?i - item ?r - room) (has ?i - item) (on ?i - item) (painted ?i - item) (known ?x))
  (:action go :parameters (?from - room ?to - room)
    :precondition (at ?from)
    :effect (and (not (at ?from)) (at ?to)))
  (:action take :parameters (?i - item ?r - room)
    :precondition (and (at ?r) (in ?i ?r))
    :effect (and (has ?i) (not (in ?i ?r))))
  (:action drop :parameters (?i - item ?r - room)
    :precondition (and (at ?r) (has ?i))
    :effect (and (in ?i ?r) (not (has ?i))))
  (:action switch :parameters (?i - tool)
    :precondition (has ?i)
    :effect (and (when (on ?i) (not (on ?i))) (when (not (on ?i)) (on ?i))))
  (:action paint :parameters (?i - item ?brush)
    :precondition (and (has ?i) (has ?brush) (not (= ?i ?brush)) (forall (?t - tool) (not (on ?t))))
    :effect (painted ?i))
  (:action wish :parameters (?i - item)
    :precondition (or (exists (?r - room, ?x - item) (at ?r)) (painted ?i))
    :effect (known ?i))
  (:action look :parameters (?r - room) :precondition (at ?r) :effect (known ?r)))`;

const GRAMMAR = `
grammar :: """{
  "intro": [{"rhs": "#greeting# #here#"}],
  "greeting": [{"rhs": "Welcome."}],
  "here": [{"condition": "at(r:room)", "rhs": "{#seen# | at(r:room)}"}],
  "seen": [{"rhs": "In {r} you see [{i.indefinite + ' ' + i.name | in(i:item, r:room)}]."}],
  "tools": [{"rhs": "Tools here: [{i | in(i:tool, r:room)}]. Pairs: {i+j+';' | in(i:item, r:room) & in(j:item, r:room)}"}],
  "taken": [{"rhs": "Taken from {r}: [{i | not_in(i:item, r:room)}]."}],
  "power": [
    {"condition": "on(i:tool)", "rhs": "{i} hums."},
    {"condition": "not_on(i:tool)", "rhs": "{i} is silent."},
    {"rhs": "{i} was never used."}
  ],
  "list_empty": [{"rhs": "nothing"}],
  "list_separator": [{"rhs": ", "}],
  "list_last_separator": [{"rhs": ", and "}]
}""";
action go     { template :: "go to {to}";     feedback :: "#here#"; }
action take   { template :: "take {i}";       feedback :: "#taken# #tools#"; }
action drop   { template :: "drop {i}";       feedback :: "#taken# #tools#"; }
action switch { template :: "switch {i}";     feedback :: "#power#"; }
action paint  { template :: "paint {i}";      feedback :: "You paint {i} with {brush}."; }
action wish   { template :: "wish for {i}";   feedback :: "You wish."; }
action look   { template :: "look";           feedback :: "#here#"; }
`;

const PROBLEM = `
(define (problem p) (:domain workshop)
  (:objects hall cellar - room saw drill - tool board chair - item)
  (:init (at hall) (in board hall) (in saw hall) (in drill hall) (in chair cellar))
  (:goal (exists (?i - item ?j - item) (and (in ?i cellar) (in ?j cellar) (painted ?i) (not (= ?i ?j))))))`;

const logic = compileLogic(DOMAIN, GRAMMAR);
const play = (options?: GameOptions): Game => new Game(logic, PROBLEM, options);

describe('Game', () => {
  it('begins with the intro and the commands in order, each once', () => {
    expect(play().reset()).toEqual({
      feedback: 'Welcome. In hall you see a board, a drill, and a saw.',
      admissible: ['go to cellar', 'look', 'take board', 'take drill', 'take saw'],
      won: false,
      score: 0,
      done: false,
    });
  });

  it('offers no action that would change nothing, but those that changed something before', () => {
    const game = play();
    expect(game.reset().admissible).not.toContain('go to hall');
    expect(game.step('look').admissible).toContain('look');
  });

  it('takes a command with blank space around it, but not in another case', () => {
    const game = play();
    expect(game.step('  look\n').feedback).toBe('In hall you see a board, a drill, and a saw.');
    expect(game.step('Look').feedback).toBe('Nothing happens.');
  });

  it('takes for blank space what Python does', () => {
    const game = play();
    for (const command of ['\u001clook\u0085', '\u00a0look\u3000'])
      expect(game.step(command).feedback).toMatch(/^In hall/);
    expect(game.step('\ufefflook').feedback).toBe('Nothing happens.');
  });

  it('answers an unknown command, changes nothing and goes on', () => {
    const game = play({ unknownCommand: 'What?' });
    const before = game.reset();
    expect(game.step('fly')).toEqual({ ...before, feedback: 'What?' });
    expect(game.step('take saw').feedback).toContain('Taken');
  });

  it('knows a fact to be false only where an action made it so, and forgets that when it is true again', () => {
    const game = play();
    expect(game.step('take saw').feedback).toMatch(/^Taken from hall: saw\./);
    expect(game.step('take drill').feedback).toMatch(/^Taken from hall: drill\./);
    expect(game.step('drop saw').feedback).toMatch(/^Taken from hall: nothing\./);
  });

  it('matches subtypes only where a query asks for them, and gives distinct variables distinct objects', () => {
    const game = play();
    game.step('take drill');
    game.step('take board');
    // The dropped drill is bound by the action, so it is the only i; j ranges over the others.
    expect(game.step('drop drill').feedback).toBe('Taken from hall: nothing. Tools here: drill. Pairs: drillsaw;');
  });

  it('applies conditional effects by the state before, while texts note every effect in order', () => {
    const game = play();
    game.step('take saw');
    expect(game.step('switch saw').feedback).toBe('saw hums.');
    game.step('take board');
    expect(game.step('look').admissible).not.toContain('paint board');
    expect(game.step('switch saw').feedback).toBe('saw hums.');
    expect(game.step('look').admissible).toContain('paint board');
  });

  it('never finds a member of an unknown type: a comma after a type makes one', () => {
    const game = play();
    expect(game.reset().admissible.filter((command) => command.startsWith('wish'))).toEqual([]);
    for (const command of ['take saw', 'take board']) game.step(command);
    expect(game.step('paint board').admissible).toContain('wish for board');
  });

  it('runs the first of several actions that share a command', () => {
    const game = play();
    for (const command of ['take saw', 'take drill', 'take board']) game.step(command);
    expect(game.step('paint board').feedback).toBe('You paint board with drill.');
  });

  it('is won when the goal holds, and then stands still', () => {
    const game = play();
    for (const command of ['take saw', 'take board', 'paint board', 'go to cellar'])
      expect(game.step(command).won).toBe(false);
    const won = game.step('drop board');
    expect(won).toMatchObject({ won: true, score: 1, done: true });
    expect(game.step('take chair')).toBe(won);
    expect(game.reset()).toMatchObject({ won: false, done: false });
  });

  it('goes back to saved points, in this game or another of the same problem', () => {
    const game = play();
    game.step('take saw');
    const saved = game.save();
    const before = game.restore(saved);
    for (const command of ['switch saw', 'drop saw', 'go to cellar', 'take chair']) game.step(command);
    for (const other of [game, play()]) {
      expect(other.restore(saved)).toEqual(before);
      expect(other.step('drop saw').feedback).toMatch(/^Taken from hall: nothing\. Tools here: saw\./);
    }
    expect(game.reset()).toEqual(play().reset());
  });

  it('plays on alike from a saved point, however it came back there', () => {
    const walk = (game: Game, choices: readonly number[]): GameTurn[] => {
      let turn = game.restore(game.save());
      return choices.map((choice) => (turn = game.step(turn.admissible[choice % turn.admissible.length]!)));
    };
    const moves = fc.array(fc.nat(100), { maxLength: 12 });
    fc.assert(
      fc.property(moves, moves, moves, (before, after, astray) => {
        const game = play();
        walk(game, before);
        const saved = game.save();
        const expected = walk(game, after);
        walk(game, astray);
        game.restore(saved);
        expect(walk(game, after)).toEqual(expected);
        const other = play();
        walk(other, astray);
        other.restore(saved);
        expect(walk(other, after)).toEqual(expected);
      }),
    );
  });

  it('replaces symbols and names where the options say so', () => {
    const naming: NamingRule = (ids) => ids.map((id) => id.toUpperCase());
    const game = play({ naming, symbols: { greeting: 'Hello from [{r | at(r:room)}].' } });
    expect(game.reset().feedback).toBe('Hello from HALL. In HALL you see a BOARD, a DRILL, and a SAW.');
    expect(play().reset().feedback).toMatch(/^Welcome\./);
  });
});

describe('loading a game', () => {
  it('reads over what is for planners', () => {
    const problem = PROBLEM.replace('(:goal', '(:metric minimize (total-cost)) (:goal').replace(
      '(:init',
      '(:init (= (total-cost) 0)',
    );
    expect(new Game(logic, problem).reset()).toEqual(play().reset());
  });

  it.each([
    ['an object of an unknown type', '(:objects x - ghost) (:init) (:goal ())', 'does not declare'],
    ['a fact about an unknown object', '(:init (at attic)) (:goal ())', 'not listed'],
    ['a goal about an unknown object', '(:goal (at attic))', 'not listed'],
    ['an unknown predicate', '(:goal (flies))', 'not declared'],
    ['a wrong number of arguments', '(:objects x) (:goal (at x x))', 'takes 1 arguments, not 2'],
    ['a free variable', '(:goal (at ?r))', 'variable ?r is not declared'],
  ])('refuses %s', (_, body, message) => {
    expect(() => new Game(logic, `(define (problem p) ${body})`)).toThrow(message);
  });

  it('refuses an action without texts', () => {
    expect(() => compileLogic('(define (domain d) (:action hide))', '')).toThrow(
      'action hide of the domain has no texts',
    );
  });

  it.each([
    ['an undefined symbol', '#nowhere#', 'is not defined'],
    ['an unbound variable', '{q.name}', 'q stands for nothing'],
    ['a symbol that contains itself', '#greeting#', 'expands into itself'],
    ['a symbol with no rule for the case', '#power_of_none#', 'no rule of symbol'],
  ])('refuses %s in a text', (_, greeting, message) => {
    const grammar = GRAMMAR.replace('"power":', '"power_of_none": [{"condition": "has(i:item)", "rhs": ""}], "power":');
    expect(() => new Game(compileLogic(DOMAIN, grammar), PROBLEM, { symbols: { greeting } })).toThrow(message);
  });

  it('refuses a text that doubles at every symbol', () => {
    const doubling = Array.from({ length: 40 }, (_, i) => `"d${i}": [{"rhs": "#d${i + 1}##d${i + 1}#"}]`).join(',');
    const grammar = `${GRAMMAR}\ngrammar :: """{${doubling}, "d40": [{"rhs": "x"}]}""";`;
    expect(() => new Game(compileLogic(DOMAIN, grammar), PROBLEM, { symbols: { greeting: '#d0#' } })).toThrow(
      'grows without end',
    );
  });
});
