import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TemplateCompiler } from '../../../src/envs/textgame/template.ts';
import { parseGrammar } from '../../../src/envs/textgame/twl2.ts';
import { expectParseErrorOrSuccess, mutated } from './garbage.ts';

const GRAMMAR = `
# A comment with "quotes" and { braces }.
grammar :: """
{
  "greeting": [{"condition": "night(r:room)", "rhs": "Good night"}, {"rhs": "Hello", "weight": 2}],
  "twice": [{"rhs": "first"}]
}
""";

action Light {
  template :: "light {l}";
  feedback :: "#light.feedback#";
  grammar :: """
    # Dropped before JSON is read.
    { "light.feedback": [{"rhs": "You light {l.name}."}], "twice": [{"rhs": "second"}] }
  """;
}
action wait { feedback :: "You wait.
Nothing happens."; template :: "wait"; }
`;

describe('parseGrammar', () => {
  it('reads rules and actions; later definitions stand', () => {
    const { rules, actions } = parseGrammar(GRAMMAR);
    expect(rules.get('greeting')).toEqual([
      { rhs: 'Good night', condition: 'night(r:room)' },
      { rhs: 'Hello', condition: null },
    ]);
    expect(rules.get('twice')).toEqual([{ rhs: 'second', condition: null }]);
    expect(actions.get('light')).toEqual({ template: 'light {l}', feedback: '#light.feedback#' });
    expect(actions.get('wait')!.feedback).toBe('You wait.\nNothing happens.');
  });

  it.each([
    ['an unknown word', 'grammer :: "{}";', 'expected grammar or action'],
    ['a string without end', 'grammar :: """{}', 'lacks its closing'],
    ['bad JSON', 'grammar :: """{""";', 'not valid JSON'],
    ['a list for an object', 'grammar :: "[]";', 'must be a JSON object'],
    ['a symbol without rules', 'grammar :: """{"a": []}""";', 'at least one'],
    ['a rule without text', 'grammar :: """{"a": [{}]}""";', 'must be {"rhs"'],
    ['an action without feedback', 'action a { template :: "a"; }', 'needs a template and a feedback'],
    ['an unknown part', 'action a { colour :: "red"; }', 'unknown part'],
    ['a missing semicolon', 'grammar :: "{}"', 'expected ;'],
  ])('refuses %s', (_, text, message) => {
    expect(() => parseGrammar(text)).toThrow(message);
  });
});

describe('TemplateCompiler', () => {
  const compile = (text: string) => new TemplateCompiler().compile(text);

  it('reads literals, symbols, expressions, queries and lists', () => {
    const compiler = new TemplateCompiler();
    const nodes = compiler.compile(
      "On {r.name}: [{o.indefinite + ' ' + o.name or 'it' | in(o:thing, r:place) & not_held(o)}] #the end, (or so)#.",
    );
    expect(nodes).toEqual([
      { kind: 'literal', text: 'On ' },
      { kind: 'each', item: { kind: 'entity', variable: 0, part: 'name' }, query: null },
      { kind: 'literal', text: ': ' },
      {
        kind: 'list',
        each: {
          kind: 'each',
          item: {
            kind: 'or',
            operands: [
              {
                kind: 'concat',
                operands: [
                  { kind: 'entity', variable: 1, part: 'indefinite' },
                  { kind: 'text', text: ' ' },
                  { kind: 'entity', variable: 1, part: 'name' },
                ],
              },
              { kind: 'text', text: 'it' },
            ],
          },
          query: {
            atoms: [
              { predicate: 0, variables: [1, 0], types: ['thing', 'place'] },
              { predicate: 1, variables: [1], types: [null] },
            ],
            variables: [1, 0],
          },
        },
      },
      { kind: 'literal', text: ' ' },
      { kind: 'symbol', name: 'the end, (or so)' },
      { kind: 'literal', text: '.' },
    ]);
    expect(compiler.variables.list).toEqual(['r', 'o']);
    expect(compiler.predicates.list).toEqual(['in', 'not_held']);
  });

  it('drops blank space at the start only, and tabs between pieces', () => {
    expect(compile('\n  Hi  there\n  {x}\t\tyou \n')).toEqual([
      { kind: 'literal', text: 'Hi  there\n  ' },
      { kind: 'each', item: { kind: 'entity', variable: 0, part: 'name' }, query: null },
      { kind: 'literal', text: 'you \n' },
    ]);
  });

  it('stops in silence where nothing fits', () => {
    expect(compile('a (b)} c')).toEqual([{ kind: 'literal', text: 'a (b)' }]);
    expect(compile('a {x')).toEqual([{ kind: 'literal', text: 'a ' }]);
    expect(compile('a [x]')).toEqual([{ kind: 'literal', text: 'a ' }]);
    expect(compile('a # b')).toEqual([{ kind: 'literal', text: 'a ' }]);
    expect(compile('')).toEqual([]);
  });

  it('reads quoted literals without their quotes', () => {
    expect(compile('"a"b')).toEqual([
      { kind: 'literal', text: 'a' },
      { kind: 'literal', text: 'b' },
    ]);
  });

  it.each(['{x.colour}', '{x +}', '{+ x}', '{x y}', '{x or}', '{1}', '{x | p(}', '{x | p(a b)}', '{x | }'])(
    'refuses %s',
    (text) => {
      expect(() => compile(text)).toThrow('cannot read');
    },
  );
});

describe('grammar parsers on garbage', () => {
  it('end in a parse error or a result, never in anything else', () => {
    const texts = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      mutated(GRAMMAR),
      fc
        .array(
          fc.constantFrom('{', '}', '[', ']', '#', '|', 'x', 'p(x)', '&', '.name', '+', ' or ', '"', "'", '\n', '\t'),
        )
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        expectParseErrorOrSuccess(() => parseGrammar(text));
        expectParseErrorOrSuccess(() => new TemplateCompiler().compile(text));
        expectParseErrorOrSuccess(() => new TemplateCompiler().compileQuery(text));
      }),
      { numRuns: 2000 },
    );
  });

  it('take time in proportion to the length of hostile texts', () => {
    const length = 200_000;
    const started = performance.now();
    for (const unit of ['{', '[', '#', '{ ', '{x ', '{x | ', '"', ' ', '\t', '{x|p(x)', 'a:', '"""', '#\n']) {
      const text = unit.repeat(length / unit.length);
      expectParseErrorOrSuccess(() => parseGrammar(text));
      expectParseErrorOrSuccess(() => new TemplateCompiler().compile(text));
      expectParseErrorOrSuccess(() => new TemplateCompiler().compileQuery(text));
    }
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});
