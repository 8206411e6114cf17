/**
 * The logic that games share: a domain and a text grammar, compiled once. An action becomes a schema: its precondition
 * and effects over the slots of a frame, its command template and its feedback. Slot i of a schema holds the object of
 * parameter i.
 */
import { ProxmoError } from '../../base/errors.ts';
import type { Rule } from './expander.ts';
import { type Formula, resolve, Scope, type Variable, Vocabulary } from './formula.ts';
import { type Action, type Domain, parseDomain } from './pddl.ts';
import { type Expression, type Node, TemplateCompiler } from './template.ts';
import { type GrammarText, parseGrammar, type RuleText } from './twl2.ts';

/** An effect over slots. */
export interface SchemaEffect {
  readonly predicate: number;
  readonly slots: readonly number[];
  readonly positive: boolean;
  readonly condition: Formula | null;
}

/** Slots that must hold equal objects, pair by pair. */
type SlotPairs = readonly (readonly [number, number])[];

/** A compiled action. */
export interface Schema {
  readonly name: string;
  readonly parameters: readonly Variable[];
  readonly precondition: Formula;
  readonly effects: readonly SchemaEffect[];
  readonly frameSize: number;
  /** Slots of the objects that the action names outright. */
  readonly objects: ReadonlyMap<string, number>;
  /**
   * Per effect, the ways in which it may repeat what the precondition says already; null if some effect never does. An
   * operator all of whose effects do changes nothing and does not exist, as for planners.
   */
  readonly idle: readonly (readonly SlotPairs[])[] | null;
  readonly template: readonly Node[];
  readonly feedback: readonly Node[];
  /** Text variable of each parameter, −1 where no text mentions it. */
  readonly textVariables: readonly number[];
  /** Parameters that the command depends on, or null where it depends on facts that change. */
  readonly commandParameters: readonly number[] | null;
}

/** A compiled domain and grammar. */
export interface GameLogic {
  readonly vocabulary: Vocabulary;
  readonly schemas: readonly Schema[];
  /** By predicate number: whether some action changes it. */
  readonly fluent: readonly boolean[];
  readonly rules: ReadonlyMap<string, readonly Rule[]>;
  /** Compiles further texts, such as the task sentence of a game, with the same names. */
  readonly compiler: TemplateCompiler;
}

/**
 * Compiles a PDDL domain and a twl2 grammar.
 *
 * @throws {ProxmoError} `parse`, also where an action of the domain has no texts.
 */
export function compileLogic(domainText: string, grammarText: string): GameLogic {
  const domain = parseDomain(domainText);
  const grammar = parseGrammar(grammarText);
  const vocabulary = new Vocabulary(domain);
  const fluent = findFluents(domain, vocabulary);
  const compiler = new TemplateCompiler();
  const rules = new Map([...grammar.rules].map(([symbol, texts]) => [symbol, compileRules(texts, compiler)]));
  const context = { domain, grammar, vocabulary, fluent, compiler };
  const schemas = domain.actions.map((action) => compileAction(action, context));
  return { vocabulary, schemas, fluent, rules, compiler };
}

/** @throws {ProxmoError} `parse` */
export function compileRules(texts: readonly RuleText[], compiler: TemplateCompiler): readonly Rule[] {
  return texts.map(({ rhs, condition }) => ({
    condition: condition === null ? null : compiler.compileQuery(condition),
    text: compiler.compile(rhs),
  }));
}

interface Context {
  readonly domain: Domain;
  readonly grammar: GrammarText;
  readonly vocabulary: Vocabulary;
  readonly fluent: readonly boolean[];
  readonly compiler: TemplateCompiler;
}

function findFluents(domain: Domain, vocabulary: Vocabulary): readonly boolean[] {
  const fluent = vocabulary.arities.map(() => false);
  for (const { effects } of domain.actions) for (const { atom } of effects) fluent[vocabulary.predicate(atom)] = true;
  return fluent;
}

function compileAction(action: Action, context: Context): Schema {
  const { vocabulary, grammar, compiler } = context;
  const texts = grammar.actions.get(action.name);
  if (texts === undefined) {
    throw new ProxmoError(
      'parse',
      `Text grammar: action ${action.name} of the domain has no texts; add action ${action.name} { … }.`,
    );
  }
  const scope = new Scope(vocabulary);
  const declaration = scope.declare(action.parameters);
  // A parameter of an unknown type can be nothing: the action exists in name only.
  const parameters = declaration?.declared ?? [];
  const precondition: Formula =
    declaration === null ? { op: 'any', operands: [], free: [] } : resolve(action.precondition, scope);
  const effects = declaration === null ? [] : action.effects.map((effect) => compileEffect(effect, scope));
  const template = compiler.compile(texts.template);
  const feedback = compiler.compile(texts.feedback);
  const names = action.parameters.map(({ name }) => name.slice(1));
  return {
    name: action.name,
    parameters,
    precondition,
    effects,
    frameSize: scope.size,
    objects: scope.objects,
    idle: findIdle(effects, precondition),
    template,
    feedback,
    textVariables: names.map((name) => compiler.variables.number(name)),
    commandParameters: findCommandParameters(template, names, context),
  };
}

function compileEffect(effect: Action['effects'][number], scope: Scope): SchemaEffect {
  return {
    predicate: scope.vocabulary.predicate(effect.atom),
    slots: effect.atom.args.map((arg) => scope.term(arg)),
    positive: effect.positive,
    condition: effect.condition === null ? null : resolve(effect.condition, scope),
  };
}

function findIdle(effects: readonly SchemaEffect[], precondition: Formula): Schema['idle'] {
  const conjuncts = precondition.op === 'all' ? precondition.operands : [precondition];
  const required: Literal[] = [];
  for (const conjunct of conjuncts) {
    const atom = conjunct.op === 'not' ? conjunct.operand : conjunct;
    if (atom.op === 'atom')
      required.push({ predicate: atom.predicate, slots: atom.slots, positive: conjunct.op !== 'not' });
  }
  const idle: (readonly SlotPairs[])[] = [];
  for (const effect of effects) {
    if (effect.condition !== null) return null;
    // What an action deletes and adds at once, it adds.
    const added = effect.positive
      ? []
      : effects.filter(({ positive }) => positive).map((literal) => ({ ...literal, positive: false }));
    const ways = [...required, ...added].filter(
      ({ predicate, positive }) => predicate === effect.predicate && positive === effect.positive,
    );
    if (ways.length === 0) return null;
    idle.push(ways.map(({ slots }) => slots.map((slot, i) => [slot, effect.slots[i]!] as const)));
  }
  return idle;
}

interface Literal {
  readonly predicate: number;
  readonly slots: readonly number[];
  readonly positive: boolean;
}

/** Parameters that a template mentions, or null where it looks up facts that change. */
function findCommandParameters(
  template: readonly Node[],
  names: readonly string[],
  context: Context,
): readonly number[] | null {
  const mentioned = new Set<number>();
  const visitExpression = (expression: Expression): void => {
    if (expression.kind === 'entity') mentioned.add(expression.variable);
    else if (expression.kind !== 'text') expression.operands.forEach(visitExpression);
  };
  const visit = (node: Node | Expression): boolean => {
    switch (node.kind) {
      case 'literal':
        return true;
      case 'symbol':
        return false;
      case 'list':
        return (
          visit(node.each) && LIST_SYMBOLS.every((symbol) => (context.grammar.rules.get(symbol) ?? []).every(isPlain))
        );
      case 'each':
        for (const variable of node.query?.variables ?? []) mentioned.add(variable);
        return visit(node.item) && (node.query?.atoms ?? []).every(({ predicate }) => !mayChange(predicate, context));
      default:
        visitExpression(node);
        return true;
    }
  };
  if (!template.every(visit)) return null;
  return names.flatMap((name, index) => (mentioned.has(context.compiler.variables.number(name)) ? [index] : []));
}

/** Symbols that lists are written with. */
const LIST_SYMBOLS = ['list_empty', 'list_separator', 'list_last_separator'];

/** Whether a rule writes the same text always. */
function isPlain({ rhs, condition }: RuleText): boolean {
  return condition === null && !/[#{]/.test(rhs);
}

/** Whether the text facts of one of the grammar's predicates may change. */
function mayChange(predicate: number, { compiler, vocabulary, fluent }: Context): boolean {
  const name = compiler.predicates.list[predicate]!;
  const ids = [
    vocabulary.predicates.get(name),
    name.startsWith('not_') ? vocabulary.predicates.get(name.slice(4)) : undefined,
  ];
  return ids.some((id) => id !== undefined && fluent[id]!);
}

/** All text that is written out in a grammar: what commands and feedback can contain besides the names of objects. */
export function literalTexts(logic: GameLogic): readonly string[] {
  const texts: string[] = [];
  const visit = (node: Node | Expression): void => {
    switch (node.kind) {
      case 'literal':
      case 'text':
        texts.push(node.text);
        return;
      case 'list':
        visit(node.each);
        return;
      case 'each':
        visit(node.item);
        return;
      case 'concat':
      case 'or':
        node.operands.forEach(visit);
    }
  };
  for (const rules of logic.rules.values()) for (const { text } of rules) text.forEach(visit);
  for (const { template, feedback } of logic.schemas) [...template, ...feedback].forEach(visit);
  return texts;
}
