import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProxmoError } from '../../../src/base/errors.ts';
import { parseDomain, parseProblem } from '../../../src/envs/textgame/index.ts';
import { expectParseErrorOrSuccess, mutated } from './garbage.ts';

const DOMAIN = `
(define (domain Lamps) ; a comment (with parentheses
  (:requirements :adl :typing)
  (:types room lamp - thing thing)
  (:predicates (in ?l - lamp ?r - room) (lit ?l - lamp))
  (:functions (total-cost) - number)
  (:action Light
    :parameters (?l - lamp ?r - room)
    :precondition (and (in ?l ?r) (not (lit ?l)))
    :effect (and (lit ?l) (when (in ?l ?r) (not (in ?l ?r))) (increase (total-cost) 1))))`;

const PROBLEM = `
(define (problem evening) (:domain lamps)
  (:objects Hall - room L1 L2 - lamp)
  (:init (in L1 Hall) (in L2 Hall) (= (total-cost) 0))
  (:goal (exists (?l - lamp) (and (lit ?l) (not (= ?l L1))))))`;

describe('parseDomain', () => {
  it('reads types, predicates and actions in lower case', () => {
    const domain = parseDomain(DOMAIN);
    expect(domain.name).toBe('lamps');
    expect([...domain.types]).toEqual([
      ['room', 'thing'],
      ['lamp', 'thing'],
      ['thing', 'object'],
    ]);
    expect([...domain.predicates]).toEqual([
      ['in', 2],
      ['lit', 1],
    ]);
    expect(domain.actions[0]).toEqual({
      name: 'light',
      parameters: [
        { name: '?l', type: 'lamp' },
        { name: '?r', type: 'room' },
      ],
      precondition: {
        kind: 'and',
        operands: [
          { kind: 'atom', predicate: 'in', args: ['?l', '?r'] },
          { kind: 'not', operand: { kind: 'atom', predicate: 'lit', args: ['?l'] } },
        ],
      },
      effects: [
        { condition: null, positive: true, atom: { predicate: 'lit', args: ['?l'] } },
        {
          condition: { kind: 'atom', predicate: 'in', args: ['?l', '?r'] },
          positive: false,
          atom: { predicate: 'in', args: ['?l', '?r'] },
        },
      ],
    });
  });

  it.each([
    ['a missing parenthesis', '(define (domain d)', 'a closing parenthesis is missing'],
    ['a spare parenthesis', '(define (domain d)))', 'text follows'],
    ['text outside', 'domain', 'outside parentheses'],
    ['a problem', '(define (problem p))', 'expected (define (domain'],
    ['an unknown section', '(define (domain d) (:constants a))', 'unsupported domain section'],
    ['a derived type circle', '(define (domain d) (:types a - b b - a))', 'descends from itself'],
    ['an unknown supertype', '(define (domain d) (:types a - b))', 'not declared'],
    ['either types', '(define (domain d) (:predicates (p ?x - (either a b))))', 'expected a type'],
    ['effects over all objects', '(define (domain d) (:action a :effect (forall (?x) (p ?x))))', 'unsupported effect'],
    ['a parameter that is no variable', '(define (domain d) (:action a :parameters (x)))', 'unsupported parameter'],
    ['an imply', '(define (domain d) (:action a :precondition (imply (p) (q))))', 'unsupported formula'],
  ])('refuses %s', (_, text, message) => {
    expect(() => parseDomain(text)).toThrow(message);
    expect(() => parseDomain(text)).toThrow(ProxmoError);
  });

  it('refuses nesting that would overflow the stack', () => {
    expect(() => parseDomain('('.repeat(1e6))).toThrow('nest deeper');
    expect(() =>
      parseDomain(`(define (domain d) (:action a :precondition ${'(not '.repeat(1e5)}(p)${')'.repeat(1e5)}))`),
    ).toThrow('nest deeper');
  });

  it('says where the trouble is', () => {
    expect(() => parseDomain('(define (domain d)\n\n))')).toThrow('line 3');
  });
});

describe('parseProblem', () => {
  it('reads objects, facts and the goal, and reads over numeric fluents', () => {
    const problem = parseProblem(PROBLEM);
    expect(problem.domain).toBe('lamps');
    expect(problem.objects).toEqual([
      { name: 'hall', type: 'room' },
      { name: 'l1', type: 'lamp' },
      { name: 'l2', type: 'lamp' },
    ]);
    expect(problem.init).toEqual([
      { predicate: 'in', args: ['l1', 'hall'] },
      { predicate: 'in', args: ['l2', 'hall'] },
    ]);
    expect(problem.goal.kind).toBe('exists');
  });

  it('takes a comma for a part of the name it touches', () => {
    const { goal } = parseProblem('(define (problem p) (:goal (exists (?l - room, ?r - lamp) (p ?l))))');
    expect(goal.kind === 'exists' && goal.variables).toEqual([
      { name: '?l', type: 'room,' },
      { name: '?r', type: 'lamp' },
    ]);
  });

  it('refuses a problem without a goal', () => {
    expect(() => parseProblem('(define (problem p))')).toThrow('has no (:goal');
  });
});

describe('PDDL parsers on garbage', () => {
  it('end in a parse error or a result, never in anything else', () => {
    const tokens = fc.array(
      fc.constantFrom(
        '(',
        ')',
        'define',
        '(domain d)',
        ':action',
        ':goal',
        'and',
        'not',
        'exists',
        '?x',
        '-',
        'when',
        '=',
        ';',
      ),
    );
    const texts = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      tokens.map((parts) => `(define (domain d) ${parts.join(' ')})`),
      tokens.map((parts) => `(define (problem d) (:goal ${parts.join(' ')}))`),
      mutated(DOMAIN),
      mutated(PROBLEM),
    );
    fc.assert(
      fc.property(texts, (text) => {
        expectParseErrorOrSuccess(() => parseDomain(text));
        expectParseErrorOrSuccess(() => parseProblem(text));
      }),
      { numRuns: 2000 },
    );
  });
});
