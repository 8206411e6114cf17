/**
 * The file of a study: a base configuration, arms that differ from it, and seeds. Everything in it is checked before
 * anything runs, and what is wrong is told with its line and its arm.
 */
import { basename, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { textOfFile } from '../../base/wholeFile.node.ts';
import { resolveAdvantageOptions } from '../../rl/advantages/options.ts';
import type { TrainConfig } from '../../rl/config.ts';
import { type ConfigLayer, loadConfig } from '../../runs/config.ts';
import { parseYaml, type Yaml } from '../../runs/yaml.ts';
import { withPieces } from '../fleetRun.ts';
import { newRunConfig } from '../newConfig.ts';
import { noSuchName } from '../noSuchName.ts';
import { defaultPreset } from '../presetNames.ts';

const settingsSchema = z.record(z.string(), z.unknown());
const armName = /^[a-z][a-z0-9._-]{0,63}$/i;

const studySchema = z.strictObject({
  /** What the study is about, for its report. */
  title: z.string().min(1).optional(),
  /** Preset that all arms start from, as of `proxmo train`. */
  preset: z.string().default(defaultPreset),
  /** Settings of all arms, over the preset, as in the `config.yaml` of a run. */
  settings: settingsSchema.default({}),
  /** What each arm sets besides, by its name. */
  arms: z.record(z.string(), settingsSchema.nullable()).superRefine((arms, context) => {
    for (const name of Object.keys(arms))
      if (!armName.test(name))
        context.addIssue({
          code: 'custom',
          path: [name],
          message: 'is no name of an arm; give a letter first, then letters, digits, dots, - or _, at most 64 in all',
        });
    if (Object.keys(arms).length === 0) context.addIssue({ code: 'custom', message: 'has no arm; name at least one' });
  }),
  seeds: z.array(z.int().min(0)).min(1),
  /** The arm that the others are compared with; the first by default. */
  reference: z.string().optional(),
  /** Runs at a time. */
  jobs: z.int().min(1).default(1),
  /** Workers on this machine that play each run, as of `proxmo train --workers`; none by default. */
  workers: z.int().min(1).optional(),
});

type StudyFile = z.output<typeof studySchema>;

export interface Arm {
  readonly name: string;
  /** What it sets over the study's settings. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** The whole configuration that this comes to, with the first seed. */
  readonly config: TrainConfig;
}

export interface StudyRun {
  /** For people, as `proxmo seed 3`. */
  readonly name: string;
  readonly arm: string;
  readonly seed: number;
  readonly config: TrainConfig;
  /** Workers on this machine that play it; undefined where it plays by itself. */
  readonly workers: number | undefined;
  /** Its run folder. */
  readonly dir: string;
}

export interface Study {
  readonly name: string;
  readonly title: string;
  /** Path of its file. */
  readonly file: string;
  readonly arms: readonly Arm[];
  readonly seeds: readonly number[];
  readonly reference: string;
  readonly jobs: number;
  /** Folder of all of its runs. */
  readonly dir: string;
  /** Seed by seed, so that arms can be compared early. */
  readonly runs: readonly StudyRun[];
}

/**
 * @param out folder of the study; default: one under `runs/`, named as the file
 * @throws {ProxmoError} `file` if there is none, `config` if anything in it is wrong, `usage` if a name is
 */
export async function loadStudy(file: string, out?: string): Promise<Study> {
  const read = await loadConfig(studySchema, { file });
  const yaml = parseYaml(await textOfFile(file, 'give the path of a study'), file, 'config');
  checkNames(read, file);
  const arms = await resolveArms(read, file, yaml);
  const name = basename(file).replace(/\.ya?ml$/i, '');
  const dir = out ?? join('runs', name);
  const { seeds, jobs, workers, title = name, reference = arms[0]!.name } = read;
  const runs = seeds.flatMap((seed) =>
    arms.map((arm) => ({
      name: `${arm.name} seed ${seed}`,
      arm: arm.name,
      seed,
      config: { ...arm.config, seed },
      workers,
      dir: join(dir, arm.name, `seed-${seed}`),
    })),
  );
  return { name, title, file, arms, seeds, reference, jobs, dir, runs };
}

/** @throws {ProxmoError} `config` if two runs would have the same folder; `usage` if the reference is no arm */
function checkNames({ arms, seeds, reference }: StudyFile, file: string): void {
  const names = Object.keys(arms);
  const refuse = (problem: string) => new ProxmoError('config', `${file}: ${problem}.`);
  for (const [index, name] of names.entries()) {
    const other = names.slice(0, index).find((earlier) => earlier.toLowerCase() === name.toLowerCase());
    if (other !== undefined)
      throw refuse(`the arms ${other} and ${name} would share a folder on systems that take them as one; rename one`);
  }
  const twice = seeds.find((seed, index) => seeds.indexOf(seed) !== index);
  if (twice !== undefined) throw refuse(`the seed ${twice} comes twice; every seed is one run of an arm`);
  if (reference !== undefined && !names.includes(reference)) throw noSuchName('arm', reference, names);
}

async function resolveArms(read: StudyFile, file: string, yaml: Yaml): Promise<Arm[]> {
  const { preset, settings, arms, seeds, workers } = read;
  const layer = (values: object, ...keys: readonly string[]): ConfigLayer => ({
    values,
    place: (path) => {
      const line = yaml.lineOf([...keys, ...path]) ?? yaml.lineOf(keys);
      return line === null ? file : `${file} line ${line}`;
    },
  });
  const base = layer(settings, 'settings');
  const seed: ConfigLayer = { values: { seed: seeds[0] }, place: () => file };
  const problems = new Map<string, string[]>();
  const resolved: Arm[] = [];
  for (const [name, given] of Object.entries(arms)) {
    const own = given ?? {};
    try {
      checkSeedless(settings, base);
      checkSeedless(own, layer(own, 'arms', name));
      const config = await newRunConfig(preset, { layers: [base, layer(own, 'arms', name), seed] });
      resolved.push({ name, settings: own, config: withPieces(config, { workers }) });
    } catch (error) {
      if (!(error instanceof ProxmoError) || error.code !== 'config') throw error;
      for (const line of error.message.split('\n')) problems.set(line, [...(problems.get(line) ?? []), name]);
    }
  }
  if (problems.size > 0) throw new ProxmoError('config', tellProblems(problems, Object.keys(arms)));
  checkDifferent(resolved, file);
  return resolved;
}

/** @throws {ProxmoError} `config` if settings name a seed */
function checkSeedless(settings: Readonly<Record<string, unknown>>, { place }: ConfigLayer): void {
  if (!Object.hasOwn(settings, 'seed')) return;
  throw new ProxmoError('config', `\`seed\` (${place(['seed'])}) is no setting of a study; list them as \`seeds\`.`);
}

/** A line for each problem, with the arms that have it. */
function tellProblems(problems: ReadonlyMap<string, readonly string[]>, arms: readonly string[]): string {
  return [...problems]
    .map(([problem, those]) => {
      const isShared = arms.length > 1 && those.length === arms.length;
      return `${isShared ? 'Every arm' : `Arm ${those.join(', ')}`}: ${problem}`;
    })
    .join('\n');
}

/** @throws {ProxmoError} `config` if two arms come to the same settings, with all defaults filled in */
function checkDifferent(arms: readonly Arm[], file: string): void {
  const whole = arms.map(({ name, config }) => ({
    name,
    settings: { ...config, advantages: resolveAdvantageOptions(config.advantages) },
  }));
  for (const [index, { name, settings }] of whole.entries()) {
    const other = whole.slice(0, index).find((earlier) => isDeepStrictEqual(earlier.settings, settings));
    if (other)
      throw new ProxmoError(
        'config',
        `${file}: the arms ${other.name} and ${name} come to the same settings, so they would be the same runs twice; remove one, or set something else in it.`,
      );
  }
}
