/**
 * Checks that comments keep to 120 columns, which the formatter does not wrap, and that their sentences have at most 40
 * words, as those of pages. Tables, and lines that are indented within their comment (formulas, layouts), may be
 * longer; so may what is thrown, which is a list.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { problemsOf } from './prose.mjs';

const columns = 120;
const comment = /^\s*(?:\/\*\*?|\*\/|\*|\/\/)(?!#)( ?)(.*?)(?:\*\/)?$/;

/**
 * What is wrong with the comments of a file.
 * @returns a sentence each, with the line it begins in
 */
export function commentProblems(text) {
  const page = text.split(/\r?\n/).map((line) => {
    const [, , words = ''] = comment.exec(line) ?? [];
    return { line, words, isFree: /^(\s|\||@throws)/.test(words) };
  });
  const long = page.flatMap(({ line, words, isFree }, index) =>
    line.length > columns && words !== '' && (!isFree || words.startsWith('@'))
      ? [{ line: index + 1, text: `the comment has ${line.length} columns; wrap it at ${columns}` }]
      : [],
  );
  // What is said of a parameter is a sentence of its own.
  const prose = page.map(({ words, isFree }) => (isFree ? '' : words.replace(/^@/, '- @').trim())).join('\n');
  return [...long, ...problemsOf(prose).filter(({ text }) => text.startsWith('has a sentence'))];
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const files = execFileSync('git', ['ls-files', '*.ts', '*.mjs', '*.mts', '*.cjs', '*.wgsl'], { encoding: 'utf8' });
  const problems = files
    .split('\n')
    .filter(Boolean)
    .flatMap((file) => commentProblems(readFileSync(file, 'utf8')).map(({ line, text }) => `${file}:${line} ${text}.`));
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length > 0 ? 1 : 0;
}
