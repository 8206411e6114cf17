/** Command lines without a shell: what their words are, and what is refused. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitCommand } from '../../../src/envs/bridge/commandLine.ts';

describe('a command line', () => {
  it.each<[string, string[]]>([
    ['python3 env.py --env FrozenLake-v1', ['python3', 'env.py', '--env', 'FrozenLake-v1']],
    ['  a\t b  ', ['a', 'b']],
    [`"/my folder/x" 'it has "quotes"' "it's"`, ['/my folder/x', 'it has "quotes"', "it's"]],
    [`a"b c"'d e'f ''`, ['ab cd ef', '']],
    [`x '$HOME;|&*' a~ b#c k=v {"n":1}`, ['x', '$HOME;|&*', 'a~', 'b#c', 'k=v', '{n:1}']],
    ['umgebung --für Öl', ['umgebung', '--für', 'Öl']],
  ])('%s', (line, words) => {
    expect(splitCommand(line, 'linux')).toEqual(words);
  });

  it('keeps the backslashes of Windows', () => {
    expect(splitCommand('C:\\Python\\python.exe "D:\\my envs\\x.py" ~a', 'win32')).toEqual([
      'C:\\Python\\python.exe',
      'D:\\my envs\\x.py',
      '~a',
    ]);
    for (const line of ['echo %PATH%', 'echo "%PATH%"'])
      expect(() => splitCommand(line, 'win32')).toThrow('has a %, which only a shell understands');
  });

  it.each([
    'cd / && x',
    'x; rm -rf y',
    'x | y',
    'x > y',
    'x $(y)',
    'x `y`',
    'x $HOME',
    'x "$HOME"',
    'x a\\ b',
    'x *.py',
    '~/x',
    'x # y',
    'x &',
  ])('%s needs a shell, and is refused', (line) => {
    expect(() => splitCommand(line, 'linux')).toThrow(
      expect.objectContaining({
        code: 'config',
        message: expect.stringMatching(/^process: the command ".*" has a \S+, which only a shell understands; .*\.$/),
      }),
    );
  });

  it.each([
    ['x\ny', /several lines/],
    ['x \n y', /several lines/],
    ["x 'y", /has a ' without its partner/],
    ['x "y', /has a " without its partner/],
    ['  ', /names no program/],
    ["'' x", /names no program/],
    ['A=1 x', /begins with a variable \(A=1\); set variables as the option env\.$/],
  ])('%j is refused', (line, why) => {
    expect(() => splitCommand(line, 'linux')).toThrow(why);
  });

  it('gives back words that were quoted', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.string().filter((word) => !word.includes("'")),
          { minLength: 1 },
        ),
        (words) => {
          fc.pre(words[0] !== '' && !/^\w+=/.test(words[0]!));
          expect(splitCommand(words.map((word) => `'${word}'`).join(' '), 'linux')).toEqual(words);
        },
      ),
    );
  });
});
