/**
 * Every command that the documents show, `proxmo …` and `npm start -- …`: there is such a command, its options are its
 * own, and its settings and presets are there. Those that take no time run.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { SettingList } from '../../src/cli/config/settings.ts';
import { presetNames } from '../../src/cli/presetNames.ts';
import { createProgram } from '../../src/cli/program.ts';
import { proxmo } from '../support/cli.ts';

const root = join(import.meta.dirname, '..', '..');
const pages = [
  'README.md',
  'bench/README.md',
  ...readdirSync(join(root, 'docs')).flatMap((name) => (name.endsWith('.md') ? [`docs/${name}`] : [])),
];
const program = await createProgram('main.ts');
const settings = { train: new SettingList(), sft: new SettingList('sft') };

/** Words behind `proxmo` of every command of a page; alternatives, `a \| b`, are taken apart. */
function commandsIn(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8');
  const blocks = [...text.matchAll(/```[a-z]*\n(.*?)```/gs)].flatMap(([, block]) => block!.split('\n'));
  const inline = [...text.replaceAll(/```.*?```/gs, '').matchAll(/`([^`\n]+)`/g)].map(([, code]) => code!);
  return [...blocks, ...inline].flatMap((line) => {
    const [, words] = /^(?:\$ )?(?:[A-Z_]+=\S+ )*(?:npx )?proxmo ([a-z].*)$/.exec(line.trim()) ?? [];
    const [, train] = /^(?:\$ )?npm start -- (.*)$/.exec(line.trim()) ?? [];
    const command = words ?? (train === undefined ? undefined : `train ${train}`);
    return command === undefined
      ? []
      : [command.replace(/\s+#.*$/, '').replace(/\s[|>].*$/, (rest) => (rest.includes('\\|') ? '' : ''))];
  });
}

/** What is wrong with a command, or with one of alternatives: `env list \| fetch NAME`; null if nothing is. */
function problemOf(text: string): string | null {
  const [first = '', ...others] = text.split(/ \\\| /);
  const [parent] = first.split(' ');
  const all = [first, ...others.map((other) => (other.startsWith('-') ? `${first} ${other}` : `${parent} ${other}`))];
  return all.map(problemOfOne).find((problem) => problem !== null) ?? null;
}

function problemOfOne(text: string): string | null {
  const words = (text.match(/'[^']*'|"[^"]*"|\S+/g) ?? []).filter((word) => word !== '…' && word !== '...');
  let command: Command = program;
  while (words.length > 0) {
    const child = command.commands.find((each) => each.name() === words[0]);
    if (child === undefined) break;
    command = child;
    words.shift();
  }
  if (command === program) return `there is no command ${words[0]}`;
  if (command.name() === 'profile') {
    const at = words.indexOf('--');
    if (at >= 0) return problemOf(`train ${words.slice(at + 1).join(' ')}`);
  }
  for (const [index, word] of words.entries()) {
    const flag = word.replace(/^[[("']+|[\])"'.,;:]+$/g, '').split('=')[0]!;
    if (flag.startsWith('--') && flag !== '--' && flag !== '--help') {
      if (!command.options.some(({ long }) => long === flag)) return `${command.name()} has no option ${flag}`;
      const value = words[index + 1] ?? '';
      if (
        flag === '--preset' &&
        command.name() !== 'advantages' &&
        /^[a-z]/.test(value) &&
        !presetNames.includes(value)
      )
        return `there is no preset ${value}`;
    }
    const list = command.name() === 'sft' ? settings.sft : settings.train;
    const isSetting = words[index - 1] === '--set' && command.name() !== 'advantages' && word.includes('=');
    const key = word.replace(/^['"]/, '').split('=')[0]!;
    if (isSetting && list.find(key) === undefined && key !== 'key') return `there is no setting ${key}`;
  }
  return null;
}

const documented = pages.flatMap((page) => commandsIn(page).map((command) => [page, command] as const));

describe('documented commands', () => {
  it('are found', () => expect(documented.length).toBeGreaterThan(40));

  it.each(documented)('%s: proxmo %s', (_, command) => expect(problemOf(command)).toBeNull());

  it.each([
    ['fly RUN', 'there is no command fly'],
    ['train --preset huge', 'there is no preset huge'],
    ['train --sede 1', 'train has no option --sede'],
    ['train --set training.iteration=4', 'there is no setting training.iteration'],
    ['profile -- --set training.iteration=4', 'there is no setting training.iteration'],
  ])('would be refused as %s', (command, problem) => expect(problemOf(command)).toBe(problem));

  it.each([
    ['config', 'list', 'training'],
    ['config', 'explain', 'training.groupSize'],
    ['config', 'presets'],
    ['completion', 'bash'],
    ['train', '--preset', 'small', '--plan'],
    ['model', 'inspect', 'test/fixtures/hf/gemma3'],
    ['model', 'inspect', 'test/fixtures/gguf/phi3.gguf'],
    ['model', 'verify', 'test/fixtures/hf/gemma3'],
  ])('run: %s %s %s %s', async (...words) => {
    expect((await proxmo(words.filter(Boolean))).code).toBe(0);
  });
});
