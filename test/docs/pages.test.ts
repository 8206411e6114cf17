/** What pages for people refer to is there: links, files, scripts, messages, terms; and their code can be read. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { transform } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { commentProblems } from '../../scripts/comments.mjs';
import { problemsOf, wrapped } from '../../scripts/prose.mjs';
import { codeBlocks, headings, linksIn, tableOf } from '../support/markdown.ts';

const root = join(import.meta.dirname, '..', '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
}).split('\n');
const pages = tracked.filter((path) => path.endsWith('.md') && !path.startsWith('test/'));
const scripts = Object.keys(JSON.parse(read('package.json')).scripts);

describe.each(pages)('%s', (page) => {
  const text = read(page);

  it('links to files and headings that are there', () => {
    for (const target of linksIn(text)) {
      if (/^(https?|mailto):/.test(target)) continue;
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? page : join(dirname(page), path);
      expect(existsSync(join(root, file)), `${target} of ${page}`).toBe(true);
      if (anchor !== undefined) expect(headings(read(file)), `${target} of ${page}`).toContain(anchor);
    }
  });

  it('names files of the repository, and scripts, that are there', () => {
    const code = [...codeBlocks(text).map((block) => block.text), ...text.matchAll(/`([^`\n]+)`/g)]
      .map(String)
      .join('\n');
    for (const [path] of code.matchAll(
      /\b(?:src|test|scripts|kernels|examples|studies|bench)\/[\w./-]*\.(?:ts|mjs|py|yaml|md)\b/g,
    ))
      if (!/\bx\.(ts|wgsl)$|NAME/.test(path)) expect(existsSync(join(root, path)), path).toBe(true);
    for (const [, script] of code.matchAll(/npm run ([a-z-]+)/g)) expect(scripts).toContain(script);
  });

  it('has code that can be read', async () => {
    for (const { language, text: code } of codeBlocks(text)) {
      if (language === 'js' || language === 'ts') await transform(code, { loader: 'ts', target: 'esnext' });
      if (language === 'yaml') expect(parseAllDocuments(code).flatMap(({ errors }) => errors)).toEqual([]);
      if (language === 'json') JSON.parse(code);
    }
  });
});

describe('docs/troubleshooting.md', () => {
  const page = read('docs/troubleshooting.md');
  const sources = tracked
    .filter((path) => /^(src|kernels)\/.*\.ts$/.test(path))
    .map(read)
    .join('\n')
    // Texts that are put together from several lines.
    .replaceAll(/['"`] \+\n\s*['"`]/g, '');

  it('has a section for each code of an error', () => {
    const [, codes] = /export type ErrorCode =(.*?);/s.exec(read('src/base/errors.ts'))!;
    const titles = [...page.matchAll(/^## (.*)$/gm)].flatMap(([, title]) => title!.split(', '));
    for (const [, code] of codes!.matchAll(/'([a-z-]+)'/g)) expect(titles).toContain(code);
  });

  it('quotes messages that there are', () => {
    const messages = [...page.matchAll(/^\| `([^`]+)`/gm)].map(([, message]) => message!);
    expect(messages.length).toBeGreaterThan(40);
    const parts = messages.flatMap((message) => message.split('…').map((text) => text.trim()));
    expect(parts.filter((part) => part.length > 3 && !sources.includes(part))).toEqual([]);
  });
});

it('docs/glossary.md is in the order of the alphabet', () => {
  const words = tableOf(read('docs/glossary.md'), 'word', 'what it means');
  const letters = words.map(([word]) => word!.toLowerCase().replaceAll(/[^a-z0-9 ]/g, ''));
  expect(letters).toEqual([...letters].sort());
});

describe('the check of prose', () => {
  const forty = `${'word '.repeat(20)}\n${'word '.repeat(19)}end`;

  it.each([
    ['a sentence of forty words', `${forty}.`, 0],
    ['a sentence of one more', `More ${forty}.`, 1],
    ['two sentences', `W${forty.slice(1)}.\nW${forty.slice(1)}.`, 0],
    ['a line of 121 columns', 'x'.repeat(121), 1],
    ['a row of a table', `| ${'x '.repeat(100)} |`, 0],
    ['code', `\`\`\`\n${'x '.repeat(100)}\n\`\`\``, 0],
  ])('counts %s', (_, text, problems) => expect(problemsOf(text)).toHaveLength(problems));

  it('wraps long lines, and leaves code, tables and words as they are', () => {
    const page = `- An item: ${'a word and `some code` '.repeat(10)}- 2. end\n\n| ${'x '.repeat(100)} |\n`;
    const lines = wrapped(page).split('\n');
    expect(lines.slice(0, -3).every((line) => line.length <= 120)).toBe(true);
    expect(lines[1]).toMatch(/^ {2}\S/);
    expect(wrapped(page).replaceAll(/\s+/g, ' ')).toBe(page.replaceAll(/\s+/g, ' '));
    expect(problemsOf(wrapped(page)).filter(({ text }) => text.includes('columns'))).toEqual([]);
    expect(wrapped(wrapped(page))).toBe(wrapped(page));
  });

  it('says in which line something is', () => expect(problemsOf(`# Title\n\n${'x'.repeat(121)}`)[0]?.line).toBe(3));
});

describe('the check of comments', () => {
  const forty = ['word '.repeat(20).trim(), `${'word '.repeat(19)}end.`];

  it.each([
    ['a sentence of forty words', `/**\n * ${forty.join('\n * ')}\n */`, 0],
    ['a sentence of one more', `/**\n * More ${forty.join('\n * ')}\n */`, 1],
    ['one of lines', `// More ${forty.join('\n  // ')}`, 1],
    ['what is said of a parameter by itself', `/**\n * ${forty.join('\n * ')}\n * @param x more\n */`, 0],
    ['a line of 121 columns', `// ${'x'.repeat(118)}`, 1],
    ['a formula', `/**\n *   y = ${'x + '.repeat(50)}x\n */`, 0],
    ['code', `const text = '${'word '.repeat(50)}';`, 0],
    ['a directive of a shader', `//#each x ${'word '.repeat(50)}`, 0],
  ])('counts %s', (_, text, problems) => expect(commentProblems(text)).toHaveLength(problems));

  it('says in which line something is', () =>
    expect(commentProblems(`const a = 1;\n// ${'x'.repeat(118)}`)[0]?.line).toBe(2));
});

it('each folder of the code says in three lines what lives there', () => {
  const folders = new Set(
    tracked
      .filter((path) => /^(src\/(?!view\/page\/)|kernels\/|shaders\/(?!lib\/)).*\.(ts|wgsl)$/.test(path))
      .map((path) => dirname(path))
      .filter((folder) => folder !== 'src'),
  );
  for (const folder of folders) {
    expect(existsSync(join(root, folder, 'README.md')), folder).toBe(true);
    expect(read(join(folder, 'README.md')).trim().split('\n'), folder).toHaveLength(3);
  }
});

describe('figures that pages repeat', () => {
  const numbersIn = (text: string) => text.match(/\d[\d,]*(?:\.\d+)?/g) ?? [];

  it('docs/performance.md has those of bench/README.md', () => {
    const measured = numbersIn(read('bench/README.md'));
    const rows = read('docs/performance.md')
      .split('\n')
      .filter((line) => /^\| .*\d/.test(line));
    expect(rows.length).toBeGreaterThan(15);
    for (const row of rows) for (const number of numbersIn(row)) expect(measured, row).toContain(number);
  });

  it('README.md has those of the pages that it links to', () => {
    const rows = tableOf(read('README.md'), 'what', 'figure', 'command');
    expect(rows.length).toBeGreaterThan(5);
    for (const [what, figure, command] of rows) {
      const [, page] = /\((docs\/[a-z]+\.md)/.exec(command!)!;
      for (const number of numbersIn(figure!)) expect(read(page!), `${what}: ${figure}`).toContain(number);
    }
  });
});
