import { describe, expect, it } from 'vitest';
import { parseYaml } from '../../src/runs/yaml.ts';

const messageOf = (text: string): string => {
  try {
    parseYaml(text, 'a.yaml', 'config');
    return '';
  } catch (error) {
    expect(error).toMatchObject({ name: 'ProxmoError', code: 'config' });
    return (error as Error).message;
  }
};

describe('a mistake', () => {
  it.each([
    ['seed: 1\n\nname: [x\n', 'line 3 is not valid YAML (what begins here is not closed)'],
    ['seed: 1\nname: [x,\n  y\n\n# end\n', 'line 2 is not valid YAML (what begins here is not closed)'],
    ['seed: {a: 1\nname: x\n', 'line 1 is not valid YAML (what begins here is not closed)'],
    ['seed: 1\nname: "x\nother: 1\n', 'line 2 is not valid YAML (what begins here is not closed)'],
    ['seed: 1\n  name: x\n', 'line 2 is not valid YAML (the indentation makes it a part of the value before)'],
    ['seed: 1\n---\nseed: 2\n', 'line 2 is not valid YAML (another document begins here; keep one)'],
    ['seed: 1\nseed: 2\n', 'line 2 is not valid YAML (Map keys must be unique)'],
    ['a:\n\t- 1\n', 'line 2 is not valid YAML (Tabs are not allowed as indentation)'],
    ['a: 1\nb: *lost\n', 'line 2 is not valid YAML (there is no anchor &lost before)'],
    ['a: 1\nb: !secret x\n', 'line 2 is not valid YAML (Unresolved tag: !secret)'],
    ['a: 1\n? [x]\n: 1\n', 'line 2 is not valid YAML (a key is a list or a group)'],
    ['a: 1\r\nb: [\r\n', 'line 2 is not valid YAML (what begins here is not closed)'],
  ])('%j', (text, message) => {
    expect(messageOf(text)).toBe(`a.yaml ${message}; correct it.`);
  });

  it('is merging what is no group', () => {
    expect(messageOf('a: 1\n<<: 3\n')).toMatch(/^a\.yaml is not valid YAML \(Merge sources must be maps/);
  });

  it('of one line has no line number', () => {
    expect(messageOf('[1')).toBe('a.yaml is not valid YAML (what begins here is not closed); correct it.');
  });
});

describe('a line', () => {
  const text = [
    'base: &base', // 1
    '  rate: 1',
    '  inner:',
    '    deep: 2',
    'other:', // 5
    '  <<: *base',
    '  own: 3',
    'alias: *base',
    'list:',
    '  - a', // 10
    '  - b: 1',
    '    c: 2',
    'flow: { x: 1,',
    '  y: 2 }',
    'empty:', // 15
    '1: one',
  ].join('\n');
  const { value, lineOf } = parseYaml(text, 'a.yaml', 'config');

  it.each<[number, PropertyKey[]]>([
    [1, ['base']],
    [3, ['base', 'inner']],
    [4, ['base', 'inner', 'deep']],
    [5, ['other']],
    [2, ['other', 'rate']],
    [4, ['other', 'inner', 'deep']],
    [7, ['other', 'own']],
    [8, ['alias']],
    [2, ['alias', 'rate']],
    [9, ['list']],
    [10, ['list', 0]],
    [12, ['list', 1, 'c']],
    [14, ['flow', 'y']],
    [15, ['empty']],
    [16, ['1']],
  ])('%i is that of %j', (line, keys) => {
    expect(lineOf(keys)).toBe(line);
  });

  it('is null where there is nothing', () => {
    expect([lineOf(['none']), lineOf(['base', 'none']), lineOf(['list', 7]), lineOf(['empty', 'x'])]).toEqual(
      Array(4).fill(null),
    );
  });

  it('belongs to a value with merged keys', () => {
    expect(value).toMatchObject({ other: { rate: 1, inner: { deep: 2 }, own: 3 } });
  });
});
