/** docs/records.md has every figure and field that a run writes down, and no other; and what it says of them is so. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { referenceAdvantages } from '../../src/rl/advantages/index.ts';
import { glossary, type Term } from '../../src/view/page/ui/glossary.ts';
import { tableOf } from '../support/markdown.ts';
import { rowsIn, rowsPath } from '../support/recordedRows.ts';
import { rolloutOf } from '../support/rollouts.ts';
import { tinyConfig, trainTiny, writeTinyWorld } from '../support/tinyRun.ts';

const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'records.md'), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'proxmo-records-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const dir = join(folder, 'run');

beforeAll(() => trainTiny(dir, tinyConfig(writeTinyWorld(folder))), 60_000);

const namesIn = (rows: readonly (readonly string[])[]) =>
  rows.flatMap(([names]) => [...names!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!));
/** Names of the tables of fields: of any turn, of its credit, of an index. */
const fieldTables = page
  .split('| field | what it is |')
  .slice(1)
  .map((rest) => namesIn(tableOf(`| field | what it is |${rest}`, 'field', 'what it is')));

/** The names of a value's parts as the page writes them: `a.b`, and `a[].b` where `a` is a list of objects. */
function partsOf(value: unknown, name: string): string[] {
  const first = Array.isArray(value) ? value[0] : value;
  if (typeof first !== 'object' || first === null) return [name];
  const inside = `${name}${Array.isArray(value) ? '[]' : ''}`;
  return Object.entries(first).flatMap(([key, part]) => partsOf(part, `${inside}.${key}`));
}
const fieldsOf = (value: object) => Object.entries(value).flatMap(([key, part]) => partsOf(part, key));
/** Names without those of which parts have names of their own. */
const leaves = (names: readonly string[]) =>
  names.filter((name) => !names.some((other) => other.startsWith(`${name}[].`))).sort();

const filesOf = (pattern: RegExp) => readdirSync(join(dir, 'rollouts')).filter((name) => pattern.test(name));
const indexIn = (name: string) => JSON.parse(readFileSync(join(dir, 'rollouts', name), 'utf8'));

describe('docs/records.md', () => {
  it('has the figures of a line of metrics.jsonl', () => {
    const lines = readFileSync(join(dir, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
    const record = lines.map((line) => JSON.parse(line)).find(({ kind }) => kind === 'train');
    const { kind: _, time: __, iteration: ___, ...figures } = record;
    const written = Object.keys(figures).map((name) =>
      name.replace(/^success\/.*/, 'success/TYPE').replace(/^groupSuccessHistogram\/.*/, 'groupSuccessHistogram/N'),
    );
    const elsewhere = ['age', 'ratio', 'largestRatio', 'truncatedShare'].map((part) => `staleness/${part}`);
    const told = namesIn(tableOf(page, 'figure', 'what it is'));
    expect(told.toSorted()).toEqual([...new Set([...written, ...elsewhere, 'samplerKl', 'components/NAME'])].sort());
  });

  it('has the fields of a turn, of its credit and of an index, as they are written', () => {
    const [ofTurn, ofCredit, ofIndex] = fieldTables;
    const [heldOut] = filesOf(/held-out\.jsonl\.gz$/);
    const played = fieldsOf(rowsIn(join(dir, 'rollouts', heldOut!))[0]!).sort();
    expect(leaves(ofTurn!)).toEqual(
      leaves([...new Set([...played, ...ofTurn!.filter((name) => /^branches/.test(name))])]),
    );
    const trained = rowsIn(rowsPath(dir, 1)).find(({ branches }) => branches !== null)!;
    expect(leaves([...ofTurn!, ...ofCredit!])).toEqual(fieldsOf(trained).sort());
    expect(leaves(ofIndex!)).toEqual(fieldsOf(indexIn('000001.index.json')).sort());
    const { levels: _, ...others } = indexIn('000001.index.json');
    expect(fieldsOf(indexIn(filesOf(/held-out\.index\.json$/)[0]!))).toEqual(fieldsOf(others));
  });

  it('explains figures in the words of the page of proxmo view', () => {
    const figures: Readonly<Record<string, Term>> = {
      success: 'success',
      length: 'length',
      deadGroupShare: 'deadGroups',
      kl: 'kl',
      samplerKl: 'samplerKl',
      entropy: 'entropy',
      clipShare: 'clipShare',
      truncatedReplies: 'truncatedReplies',
      gradientNorm: 'gradientNorm',
      learningRate: 'learningRate',
      tokensPerSecond: 'tokensPerSecond',
      'seconds/total': 'phases',
    };
    const rows = tableOf(page, 'figure', 'what it is');
    for (const [figure, term] of Object.entries(figures)) {
      const [, told] = rows.find(([names]) => names!.includes(`\`${figure}\``))!;
      const words = glossary[term].replace(/\.$/, '').replaceAll('’', "'");
      expect(told!.replaceAll(/\[([^\]]+)\]\([^)]*\)/g, '$1'), figure).toContain(words);
    }
  });

  it('says what a dead group gives: to malformed turns, to others, and to the step level', () => {
    const still = { rewards: [0, 0] };
    const lost = rolloutOf({ ...still, invalid: [0, 1] }, still, still, still);
    for (const estimator of ['proxmo', 'gigpo', 'grpo'] as const) {
      const { episode, step } = referenceAdvantages(lost, { estimator });
      expect([...episode].map((value) => value.toFixed(3))).toEqual(['-0.750', '-0.750', ...Array(6).fill('0.250')]);
      if (estimator === 'proxmo') expect(Math.max(...step.map(Math.abs))).toBeLessThan(0.1);
    }
    expect(page.replaceAll(/\s+/g, ' ')).toContain('malformed throughout, these are −0.75 and +0.25');
    // Of 2 · 3 turns, each episode counted once, a sixth: q = (0 + 1/3) / 2.
    const one = rolloutOf({ rewards: [0, 0] }, { rewards: [0, 0, 0], invalid: [1] });
    const { episode } = referenceAdvantages(one, { estimator: 'grpo' });
    expect([...episode].map((value) => value.toFixed(3))).toEqual(['0.167', '0.167', '0.167', '-0.833', '0.167']);
    const won = rolloutOf({ rewards: [0, 10], success: true }, { rewards: [0, 0, 10], success: true });
    const { episode: alike, step } = referenceAdvantages(won, { estimator: 'proxmo' });
    for (const value of alike) expect(value).toBeCloseTo(0, 9);
    expect(step[0]).toBeGreaterThan(step[2]!);
  });
});
