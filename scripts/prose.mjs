/**
 * Checks Markdown for people: lines of at most 120 columns, and sentences of at most 40 words. Tables, code, pictures
 * and lines that are one link may be longer, as they cannot be wrapped; pages that programs write are left alone.
 *
 *     node scripts/prose.mjs [--fix] [FILE.md …]
 *
 * `--fix` wraps long lines.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const mostColumns = 120;
const mostWords = 40;
/** Reports of studies, and the page of settings. */
const written = /^docs\/(results\/|configuration\.md$)|^test\/fixtures\//;

/**
 * What is wrong with a page.
 * @returns a sentence each, with the line it begins in
 */
export function problemsOf(page) {
  const problems = [];
  for (const { line, text } of paragraphsOf(page)) {
    for (const [index, each] of text.split('\n').entries())
      if ([...each].length > mostColumns && !isUnwrappable(each))
        problems.push({ line: line + index, text: `has ${[...each].length} columns; wrap it at ${mostColumns}` });
    for (const sentence of sentencesOf(text)) {
      const words = wordsOf(sentence);
      if (words.length > mostWords)
        problems.push({
          line,
          text: `has a sentence of ${words.length} words ("${words.slice(0, 6).join(' ')} …"); part it, ${mostWords} are allowed`,
        });
    }
  }
  return problems;
}

/** Paragraphs, headings and items of lists; without code and tables. */
function paragraphsOf(page) {
  const paragraphs = [];
  let open = null;
  let isCode = false;
  for (const [index, text] of page.split(/\r?\n/).entries()) {
    if (/^\s*```/.test(text)) isCode = !isCode;
    if (isCode || /^\s*(```|\||<|$)/.test(text)) {
      open = null;
    } else if (open && !/^\s*([-*#>]|\d+\.)\s/.test(text)) {
      open.text += `\n${text}`;
    } else {
      open = { line: index + 1, text };
      paragraphs.push(open);
    }
  }
  return paragraphs;
}

function isUnwrappable(line) {
  return /^\s*([-*]\s)?!?\[[^\]]*\]\([^)]*\)[.,;:]?$/.test(line);
}

/** Code counts as one word, links by their text; a semicolon parts no sentence. */
function sentencesOf(text) {
  return text
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/`[^`]*`/g, 'code')
    .replace(/\s+/g, ' ')
    .split(/(?<=[.!?:])["')*]*\s+(?=["'(*]*[\p{Lu}\d]|code)/u);
}

function wordsOf(sentence) {
  return sentence.split(' ').filter((word) => /[\p{L}\p{N}]/u.test(word));
}

/** A page with its long lines wrapped; words, code and links stay whole. */
export function wrapped(page) {
  const lines = page.split('\n');
  for (const { line, text } of paragraphsOf(page).reverse()) {
    const old = text.split('\n');
    if (old.every((each) => [...each].length <= mostColumns || isUnwrappable(each))) continue;
    const [, marker] = /^(\s*(?:[-*>]\s+|\d+\.\s+|#+\s+)?)/.exec(text);
    const rest = /^\s*>/.test(marker) ? marker : ' '.repeat(marker.length);
    const words = text.slice(marker.length).match(/(?:`[^`]*`|\S)+/g);
    lines.splice(line - 1, old.length, ...linesOf(words, marker, rest));
  }
  return lines.join('\n');
}

/** @param first what the first line begins with, @param rest what the others do */
function linesOf(words, first, rest) {
  const lines = [];
  let open = `${first}${words[0]}`;
  for (const word of words.slice(1).map((each) => each.replace(/\s+/g, ' '))) {
    // At the beginning of a line these would be the mark of a list, a heading or a quotation.
    const mayBegin = !/^([-+*>]|#+|\d+\.)$/.test(word);
    if ([...`${open} ${word}`].length > mostColumns && mayBegin) {
      lines.push(open);
      open = `${rest}${word}`;
    } else open += ` ${word}`;
  }
  return [...lines, open];
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const isFixing = process.argv.includes('--fix');
  const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
    encoding: 'utf8',
  });
  const chosen = process.argv.slice(2).filter((word) => !word.startsWith('--'));
  const found = files
    .split('\n')
    .filter((file) => file !== '' && !written.test(file) && (chosen.length === 0 || chosen.includes(file)))
    .flatMap((file) => {
      const page = readFileSync(file, 'utf8');
      if (isFixing && wrapped(page) !== page) writeFileSync(file, wrapped(page));
      const problems = problemsOf(isFixing ? wrapped(page) : page);
      return problems.map(({ line, text }) => `${file}:${line} ${text}.`);
    });
  for (const problem of found) console.error(problem);
  process.exitCode = found.length > 0 ? 1 : 0;
}
