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
const isComment = /^\s*(\*|\/\/(?!#)|\/\*)/;
const mayBeLong = /^\s*(\*|\/\/)( \||\s{2,})/;
/** What a line of a comment says; a directive of a shader says nothing. */
const words = /^\s*(?:\/\*\*?|\*\/|\*|\/\/)(?!#) ?(.*?)(?:\*\/)?$/;
const isNoSentence = /^(\s|\||@throws)/;

/**
 * What is wrong with the comments of a file.
 * @returns a sentence each, with the line it begins in
 */
export function commentProblems(text) {
  const lines = text.split(/\r?\n/);
  const long = lines.flatMap((line, index) =>
    line.length > columns && isComment.test(line) && !mayBeLong.test(line)
      ? [{ line: index + 1, text: `the comment has ${line.length} columns; wrap it at ${columns}` }]
      : [],
  );
  const prose = lines.map((line) => {
    const [, said = ''] = words.exec(line) ?? [];
    // What is said of a parameter is a sentence of its own.
    return isNoSentence.test(said) ? '' : said.replace(/^@/, '- @').trim();
  });
  return [...long, ...problemsOf(prose.join('\n')).filter(({ text }) => text.startsWith('has a sentence'))];
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
