/** Shell completion, asked of the program and of the shells themselves. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { completions } from '../../src/cli/completion.ts';
import { createProgram } from '../../src/cli/program.ts';
import { bundledCli } from '../support/bundledCli.ts';
import { needs } from '../support/needs.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-completion-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
mkdirSync(join(folder, 'runs', 'first'), { recursive: true });
mkdirSync(join(folder, 'runs', 'other'));
writeFileSync(join(folder, 'runs', 'first', 'run.json'), '{}');

const program = await createProgram('main.ts');
const complete = (...words: string[]) => completions(program, words);

describe('completions', () => {
  it.each<[string[], string[]]>([
    [['tr'], ['train']],
    [['config', 'e'], ['explain']],
    [['train', '--pre'], ['--preset']],
    [
      ['train', '--preset', 'alf'],
      ['alfworld', 'alfworld-few'],
    ],
    [['train', '--set', 'training.groupS'], ['training.groupSize=']],
    [
      ['train', '--set', 'loss.klEstimator='],
      ['loss.klEstimator=k1', 'loss.klEstimator=k2', 'loss.klEstimator=k3'],
    ],
    [
      ['advantages', 'x', '--estimator', 'g'],
      ['gigpo', 'grpo'],
    ],
    [['config', 'explain', 'engine.v'], ['engine.variants']],
    [
      ['completion', ''],
      ['bash', 'fish', 'zsh'],
    ],
    [['train', '--seed', ''], []],
  ])('%j', (words, found) => expect(complete(...words)).toEqual(found));

  it('name every command, and every option of each', () => {
    const commands = program.commands.map((each) => each.name()).filter((name) => name !== 'complete');
    expect(complete('')).toEqual(commands.sort());
    for (const command of program.commands.filter((each) => each.commands.length === 0 && each.name() !== 'complete'))
      for (const { long, hidden } of command.options)
        if (!hidden) expect(complete(command.name(), '-')).toContain(long);
  });
});

describe('run folders', () => {
  it.each(['', './', `${folder}/`])('are named as they were begun: %jruns/', (begun) => {
    const before = process.cwd();
    process.chdir(folder);
    try {
      expect(complete('view', `${begun}runs/`)).toEqual([`${begun}runs/first`, `${begun}runs/other/`]);
      expect(complete('view', `${begun}ru`)).toEqual([`${begun}runs/`]);
    } finally {
      process.chdir(before);
    }
  });
});

describe('in a shell', () => {
  let path: string;
  beforeAll(async () => {
    const bundled = await bundledCli();
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'proxmo'), `#!/bin/sh\nexec '${process.execPath}' '${bundled}' "$@"\n`);
    chmodSync(join(bin, 'proxmo'), 0o755);
    path = `${bin}:${process.env.PATH}`;
  });
  const has = (shell: string) => spawnSync(shell, ['--version']).status === 0;
  const run = (shell: string, script: string) =>
    execFileSync(shell, ['-c', script], { cwd: folder, env: { ...process.env, PATH: path }, encoding: 'utf8' })
      .split('\n')
      .filter(Boolean);

  it.each<[string, string[]]>([
    ['proxmo co', ['compare', 'completion', 'config']],
    ['proxmo train --preset sma', ['small']],
    ['proxmo train --set training.groupS', ['training.groupSize=']],
    ['proxmo train --set loss.klEstimator=', ['k1', 'k2', 'k3']],
    ['proxmo eval runs/', ['runs/first', 'runs/other/']],
  ])('bash completes %s', needs('bash', has('bash')), (line, found) => {
    const script = `source <(proxmo completion bash); COMP_LINE='${line}'; COMP_POINT=\${#COMP_LINE}; compopt() { :; }; _proxmo; printf '%s\\n' "\${COMPREPLY[@]}"`;
    expect(run('bash', script)).toEqual(found);
  });

  it('fish completes', needs('fish', has('fish')), () => {
    const script = `proxmo completion fish | source; complete -C 'proxmo train --preset alf'`;
    expect(run('fish', script)).toEqual(['alfworld', 'alfworld-few']);
  });

  it('zsh completes', needs('zsh', has('zsh')), () => {
    const script = `compdef() { :; }; compadd() { print -l $found; }; _files() { :; }; source <(proxmo completion zsh); words=(proxmo train --preset alf); CURRENT=4; _proxmo`;
    expect(run('zsh', script)).toEqual(['alfworld', 'alfworld-few']);
  });
});
