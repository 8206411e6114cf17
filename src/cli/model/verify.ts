/** `proxmo model verify`: whether a model computes here what a reference implementation computed with it. */
import { join } from 'node:path';
import { Command } from 'commander';
import { ProxmoError } from '../../base/errors.ts';
import { openDevice } from '../../gpu/device.node.ts';
import type { HfModel } from '../../models/hf/config.ts';
import { locateModel } from '../../models/hub/cache.node.ts';
import { openPretrained, type PretrainedModel } from '../../models/pretrained.node.ts';
import type { WeightSource } from '../../models/weightSource.ts';
import { loadPretrained, pretrainedWeights } from '../../nn/decoderWeights.ts';
import { mergeAdapters, mergedModel } from '../../nn/mergeAdapters.ts';
import { type Precision, storageFor, type WeightStorage } from '../../nn/precision.ts';
import type { Transformer } from '../../nn/transformer.ts';
import { checkModelRoom } from '../../rl/modelRoom.node.ts';
import { loadRunModel } from '../../rl/run.node.ts';
import { policyConfig } from '../../rl/runConfig.node.ts';
import { openRun } from '../../runs/run.ts';
import { Engine } from '../../tensor/engine.ts';
import { adapterOption, modelOrRun, nonFiniteOption, precisionOption } from '../arguments.ts';
import { isRun } from '../generate/source.ts';
import { standardError, standardOutput } from '../output.ts';
import { formatTable } from '../table.ts';
import {
  type Check,
  checkOf,
  type Difference,
  equalTokens,
  mixedError,
  relativeError,
  type Tolerances,
  tolerances,
} from './compare.ts';
import { type Expected, expectedFile, readExpected } from './expected.ts';
import { measureGreedy, measureLogits, TrainingProbe } from './measure.ts';
import { verifyTokenizer } from './verifyTokenizer.ts';

interface VerifyOptions {
  readonly expected?: string;
  readonly precision: Precision;
  readonly allowNonfinite?: boolean;
  readonly adapter?: string;
  readonly json?: boolean;
}

export function verifyCommand(): Command {
  return new Command('verify')
    .description(
      'Compare logits, loss, gradients, greedy continuation, AdamW steps and tokenizer with those of a reference.',
    )
    .argument('<model>', `${modelOrRun}, whose reference is that of \`proxmo model export RUN DIR --merge\``)
    .option(
      '--expected <file>',
      "the reference's results (default: expected.json in the folder; `proxmo model reference` makes it)",
    )
    .addOption(precisionOption().default('f32'))
    .addOption(nonFiniteOption())
    .addOption(adapterOption())
    .option('--json', 'print the checks as JSON')
    .action(async (name: string, options: VerifyOptions) => {
      const path = await locateModel(name);
      const run = (await isRun(path)) ? path : null;
      const opened = await openPretrained(run === null ? path : await baseOf(run));
      try {
        await verify(opened, run, options);
      } finally {
        await opened.close();
      }
    });
}

/** The model that a run began with. @throws {ProxmoError} `usage` if that is none */
async function baseOf(run: string): Promise<string> {
  const { model } = policyConfig(await openRun(run));
  if (model !== undefined) return locateModel(model);
  throw new ProxmoError(
    'usage',
    `${run} did not begin with a pretrained model, so nothing else computes what it does; there is nothing to compare.`,
  );
}

/**
 * Prints the checks.
 * @param run whose policy is checked in place of the model that it began with; null for the model itself
 * @throws {ProxmoError} `data` if one of them is beyond its tolerance
 */
async function verify(opened: PretrainedModel, run: string | null, options: VerifyOptions): Promise<void> {
  const { precision, json } = options;
  const { model } = opened;
  const path = run ?? opened.path;
  const expected = await readExpected(options.expected ?? join(run ?? opened.folder, expectedFile));
  const gpu = await openDevice(options.adapter);
  try {
    const checks = [
      ...(await verifyModel(new Engine(gpu), opened, run, expected, options)),
      ...(await verifyTokenizer(opened, expected)),
    ];
    const passed = checks.every((check) => check.passed);
    const result = { path, family: model.family, adapter: gpu.adapter.name, precision, passed, checks };
    if (json) standardOutput.json(result);
    else standardOutput.print(describe(checks));
    if (!passed) throw new ProxmoError('data', failureOf(path, checks));
  } finally {
    gpu.destroy();
  }
}

/** What a model computes against what a reference computed, without the tokenizer. */
async function verifyModel(
  engine: Engine,
  opened: PretrainedModel,
  run: string | null,
  expected: Expected,
  { precision, allowNonfinite }: VerifyOptions,
): Promise<Check[]> {
  const { model, path, weights } = opened;
  if (run !== null && precision === 'packed')
    throw new ProxmoError('usage', `The weights of ${run} are not packed; leave out --precision packed.`);
  const isTrained = expected.loss !== undefined || expected.grads !== undefined || expected.adamw !== undefined;
  const storage = precision === 'packed' ? precision : storageFor(precision, isTrained);
  // Gradients, their sum, and AdamW's two moments lie beside the weights.
  checkModelRoom(engine, opened, storage, isTrained ? 5 : 1);
  const transformer =
    run === null
      ? await loadPretrained(engine, model, weights, path, storage, allowNonfinite)
      : await mergedPolicy(engine, model, run, storage);
  const { input_ids: sequences, logits, logits_positions: positions, greedy } = expected;
  const checks: Check[] = [];
  if (sequences && logits && positions) {
    checks.push(
      compareLogits(
        await measureLogits(engine, transformer, sequences, positions),
        logits,
        positions,
        tolerances[precision].logits,
      ),
    );
  }
  // Where two tokens are nearly as likely, rounded weights may choose the other one.
  if (greedy && precision !== 'f16') {
    const { prompt, tokens } = greedy;
    checks.push(
      equalTokens('greedy continuation', await measureGreedy(engine, transformer, prompt, tokens.length), tokens),
    );
  }
  if (isTrained && storage === 'packed')
    standardError.print('packed weights are not trained: their loss, gradients and training steps are not compared');
  // Last, because its steps change the weights.
  else if (sequences)
    checks.push(...(await verifyTraining(engine, transformer, model, sequences, expected, tolerances[precision])));
  return checks;
}

/** The policy of a run as one model, whose weights can be trained. */
async function mergedPolicy(engine: Engine, model: HfModel, run: string, storage: WeightStorage): Promise<Transformer> {
  const { model: policy } = (await loadRunModel(engine, run, undefined, 'f32')).source;
  const whole = policy.adapters ? await mergeAdapters(engine, policy) : policy;
  const form = mergedModel(model, whole);
  const merged = await loadPretrained(engine, form, pretrainedWeights(engine, whole, form), run, storage);
  for (const { slab } of new Set([policy, whole])) engine.release(slab.variable);
  return merged;
}

async function verifyTraining(
  engine: Engine,
  transformer: Transformer,
  model: HfModel,
  sequences: readonly (readonly number[])[],
  { loss, grads, adamw }: Expected,
  tolerance: Tolerances,
): Promise<Check[]> {
  if (loss === undefined && !grads && !adamw) return [];
  const probe = await TrainingProbe.create(engine, transformer, sequences, adamw);
  const losses = [await probe.loss()];
  const checks: Check[] = [];
  if (loss !== undefined)
    checks.push(checkOf('loss', [{ error: mixedError(losses[0]!, loss), where: `${losses[0]}` }], tolerance.loss));
  if (grads)
    checks.push(
      ...(await compareGradients(
        pretrainedWeights(engine, transformer, model, probe.gradients),
        grads,
        tolerance.gradients,
      )),
    );
  if (!adamw) return checks;
  while (losses.length < adamw.losses.length) {
    await probe.step();
    losses.push(await probe.loss());
  }
  const differences = adamw.losses.map((want, step) => ({
    error: mixedError(losses[step]!, want),
    where: `after ${step} steps`,
  }));
  return [...checks, checkOf('losses over AdamW steps', differences, tolerance.trainingLosses)];
}

function compareLogits(
  got: Float32Array,
  want: NonNullable<Expected['logits']>,
  positions: readonly number[],
  tolerance: number,
): Check {
  const vocabSize = got.length / (want.length * positions.length);
  const differences = want.flatMap((rows, sequence) =>
    rows.flatMap((row, index): Difference[] => {
      if (row.length !== vocabSize)
        return [{ error: Number.NaN, where: `${row.length} logits are expected, ${vocabSize} are there` }];
      const start = (sequence * positions.length + index) * vocabSize;
      // Each is a sum over the width, off by rounding as much as its neighbours, also where it comes out near 0.
      const largest = row.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      return row.map((value, token) => ({
        error: relativeError(got[start + token]!, value, largest),
        where: `sequence ${sequence}, position ${positions[index]}, token ${token}`,
      }));
    }),
  );
  return checkOf('logits', differences, tolerance);
}

/**
 * Norms relative to themselves; values relative to themselves or, where they are small, to their tensor's root mean
 * square.
 */
async function compareGradients(
  source: WeightSource,
  want: NonNullable<Expected['grads']>,
  tolerance: number,
): Promise<Check[]> {
  const norms: Difference[] = [];
  const values: Difference[] = [];
  for (const [name, { norm, first }] of Object.entries(want)) {
    const got = await source.read(name);
    let squares = 0;
    for (const value of got) squares += value * value;
    norms.push({ error: Math.abs(Math.sqrt(squares) - norm) / Math.max(norm, Number.MIN_VALUE), where: name });
    const typical = norm / Math.sqrt(got.length);
    for (const [index, value] of first.entries()) {
      const error = Math.abs((got[index] ?? Number.NaN) - value) / Math.max(Math.abs(value), typical, Number.MIN_VALUE);
      values.push({ error, where: `${name}[${index}]` });
    }
  }
  const count = `${norms.length} of ${source.names().length} gradients`;
  return [checkOf(`norms of ${count}`, norms, tolerance), checkOf(`first values of ${count}`, values, tolerance)];
}

function describe(checks: readonly Check[]): string {
  const width = Math.max(...checks.map(({ where }) => where.length));
  const rows = checks.map(({ name, error, tolerance, passed, where }) => [
    name,
    Number.isInteger(error) ? String(error) : error.toExponential(1),
    tolerance === 0 ? 'exact' : tolerance.toExponential(0),
    passed ? 'ok' : 'BEYOND',
    where.padEnd(width),
  ]);
  return formatTable([['check', 'largest error', 'tolerance', '', 'where'.padEnd(width)], ...rows]);
}

function failureOf(path: string, checks: readonly Check[]): string {
  const failed = checks.filter(({ passed }) => !passed).map(({ name }) => name);
  return `${path} does not compute what the reference computed: ${failed.join(', ')}; see the errors above.`;
}
