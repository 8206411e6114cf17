/**
 * Checks that comments keep to 120 columns, which the formatter does not wrap. Tables, and lines that are indented
 * within their comment (formulas, layouts), may be longer.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const columns = 120;
const isComment = /^\s*(\*|\/\/|\/\*)/;
const mayBeLong = /^\s*(\*|\/\/)( \||\s{2,})/;

const files = execFileSync('git', ['ls-files', '*.ts', '*.mjs', '*.mts', '*.cjs', '*.wgsl'], { encoding: 'utf8' });
const long = files
  .split('\n')
  .filter(Boolean)
  .flatMap((file) =>
    readFileSync(file, 'utf8')
      .split(/\r?\n/)
      .flatMap((line, index) =>
        line.length > columns && isComment.test(line) && !mayBeLong.test(line) ? [`${file}:${index + 1}`] : [],
      ),
  );
for (const place of long) console.error(`${place}: the comment has more than ${columns} columns; wrap it.`);
process.exitCode = long.length > 0 ? 1 : 0;
