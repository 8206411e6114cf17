/** The text game engine: PDDL worlds with twl2 text grammars, as TextWorld and ALFWorld define them. */
export { Game, type GameOptions, type GameSnapshot, type GameTurn } from './game.ts';
export { compileLogic, type GameLogic, literalTexts } from './logic.ts';
export { compareCodePoints, type NamingRule, nameByClass, nameById } from './naming.ts';
export { type Atom, type Condition, type Problem, parseDomain, parseProblem, type TypedName } from './pddl.ts';
