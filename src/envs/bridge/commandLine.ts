/**
 * A program and its arguments out of one line of text, without a shell. Words are separated by blanks; `'…'` and `"…"`
 * keep blanks, and everything within them stands for itself. What a shell would read as more than text is refused,
 * since a line that was written for one would mean something else here.
 */
import { ProxmoError } from '../../base/errors.ts';

/** What a shell reads as more than text: in a bare part of a word, and within `"…"`. */
interface Shell {
  readonly bare: RegExp;
  readonly quoted: RegExp;
  /** At the beginning of a word: a home folder, a comment. */
  readonly first: RegExp;
}
const nothing = /(?!)/;
const posix: Shell = { bare: /[|&;<>()$`\\*?[\]]/, quoted: /[$`\\]/, first: /^[~#]/ };
const windows: Shell = { bare: /[|&<>()%^]/, quoted: /%/, first: nothing };

/** A part of a line: quoted either way, bare up to the next blank or quote, the end of a line, blanks, a lone quote. */
const part = /'([^']*)'|"([^"]*)"|([^\s'"]+)|([\n\r])|([^\S\n\r]+)|['"]/gu;

const advice =
  'there is no shell: quote it as \'…\', or give a list of the program and its arguments, as [sh, -c, "…"]';

/**
 * The words of a line.
 * @param platform as Node names it: Windows has other rules
 * @throws {ProxmoError} `config` if there is none, a quote is open, or a shell is needed
 */
export function splitCommand(line: string, platform: string): [string, ...string[]] {
  const shell = platform === 'win32' ? windows : posix;
  const words: string[] = [];
  let word: string | null = null;
  for (const [text, single, double, bare, lineEnd, blanks] of line.matchAll(part)) {
    const piece = single ?? double ?? bare;
    if (blanks !== undefined) {
      if (word !== null) words.push(word);
      word = null;
    } else if (lineEnd !== undefined) throw refuse(line, 'has several lines', advice);
    else if (piece === undefined) throw refuse(line, `has a ${text} without its partner`, 'add it');
    else {
      const special = bare === undefined ? shell.quoted.exec(double ?? '') : shell.bare.exec(bare);
      const first = bare !== undefined && word === null ? shell.first.exec(bare) : null;
      const [found] = special ?? first ?? [];
      if (found !== undefined) throw refuse(line, `has a ${found}, which only a shell understands`, advice);
      word = (word ?? '') + piece;
    }
  }
  if (word !== null) words.push(word);
  const [program, ...rest] = words;
  if (!program) throw refuse(line, 'names no program', 'write its name and its arguments');
  if (/^\w+=/.test(program))
    throw refuse(line, `begins with a variable (${program})`, 'set variables as the option env');
  return [program, ...rest];
}

function refuse(line: string, why: string, what: string): ProxmoError {
  return new ProxmoError('config', `process: the command ${JSON.stringify(line)} ${why}; ${what}.`);
}
