/**
 * `proxmo model export`: the trained policy of a run in the form that Hugging Face's libraries load, a model or the
 * adapters of one as PEFT keeps them; or either as a GGUF file, which llama.cpp loads.
 */
import { Command, Option } from 'commander';
import { refuseExisting } from '../../base/atomicFile.node.ts';
import { ProxmoError } from '../../base/errors.ts';
import { openDevice } from '../../gpu/device.node.ts';
import { checkGgufAdapter, saveGguf, saveGgufAdapter } from '../../models/gguf/save.node.ts';
import { type SavedDtype, saveHfModel } from '../../models/hf/save.node.ts';
import { saveAdapter } from '../../models/peft.node.ts';
import { openPretrained } from '../../models/pretrained.node.ts';
import { pretrainedWeights } from '../../nn/decoderWeights.ts';
import type { LoraAdapters } from '../../nn/lora.ts';
import { adapterWeights } from '../../nn/loraWeights.ts';
import { mergeAdapters, mergedModel } from '../../nn/mergeAdapters.ts';
import type { Transformer } from '../../nn/transformer.ts';
import type { TrainConfig } from '../../rl/config.ts';
import { loadRunModel } from '../../rl/run.node.ts';
import { policyConfig } from '../../rl/runConfig.node.ts';
import { openRun } from '../../runs/run.ts';
import { Engine } from '../../tensor/engine.ts';
import { adapterOption, wholeNumber } from '../arguments.ts';
import { checkModel } from '../names.ts';
import { standardOutput } from '../output.ts';
import { modelCard } from './card.ts';

const dtypes: readonly SavedDtype[] = ['float32', 'float16', 'bfloat16'];

interface ExportOptions {
  readonly merge?: boolean;
  readonly gguf?: boolean;
  readonly dtype?: SavedDtype;
  readonly checkpoint?: number;
  readonly adapter?: string;
}

export function exportCommand(): Command {
  return new Command('export')
    .description(
      'Save the policy of a run that began with a pretrained model: its weights as a Hugging Face folder with the tokenizer, or its adapters (LoRA) as a PEFT folder; with --gguf as a file for llama.cpp.',
    )
    .argument('<run>', 'run folder')
    .argument('<dir>', 'folder to make, or with --gguf a file, NAME.gguf')
    .option('--merge', 'add the adapters to the weights of their model, and save these')
    .option('--gguf', 'save a GGUF file: of the weights with the tokenizer, or of the adapters')
    .addOption(
      new Option('--dtype <name>', 'precision of the weights (default: float32); adapters are always float32').choices(
        dtypes,
      ),
    )
    .option('--checkpoint <iteration>', 'iteration whose checkpoint is saved (default: the last)', wholeNumber)
    .addOption(adapterOption())
    .action(async (run: string, dir: string, options: ExportOptions) => {
      const opened = await openRun(run);
      const config = policyConfig(opened);
      const base = baseOf(run, config, options);
      await checkModel(base);
      if (options.gguf) checkGgufName(dir);
      await refuseExisting(dir, 'policy');
      const gpu = await openDevice(options.adapter);
      try {
        const engine = new Engine(gpu);
        const { source, iteration } = await loadRunModel(engine, run, options.checkpoint, 'f32');
        const { model: policy } = source;
        const adapters = options.merge ? null : policy.adapters;
        const form = adapters ? 'adapters' : 'model';
        const dtype = options.dtype ?? 'float32';
        const saved = options.gguf
          ? await saveAsGguf(engine, policy, base, dir, dtype, form)
          : await saveAsFolder(engine, policy, base, dir, {
              dtype,
              form,
              card: await modelCard({ run: opened, config, base, iteration, dir, form }),
            });
        standardOutput.print(`${dir}: ${saved} of ${run} after iteration ${iteration}`);
      } finally {
        gpu.destroy();
      }
    });
}

/** The model that a run began with. @throws {ProxmoError} `usage` if the run has nothing to save in this way */
function baseOf(
  run: string,
  { model, lora }: Pick<TrainConfig, 'model' | 'lora'>,
  { merge, dtype }: ExportOptions,
): string {
  if (model === undefined) {
    throw new ProxmoError(
      'usage',
      `${run} did not begin with a pretrained model, so its policy has no Hugging Face form; use it by --model ${run}.`,
    );
  }
  if (merge && !lora)
    throw new ProxmoError('usage', `${run} trained all weights and has no adapters to merge; leave out --merge.`);
  if (dtype !== undefined && lora && !merge) {
    throw new ProxmoError(
      'usage',
      'Adapters are saved in float32; leave out --dtype, or add --merge to save whole weights.',
    );
  }
  return model;
}

/** @throws {ProxmoError} `usage` for a file that llama.cpp would not take for what it is */
function checkGgufName(path: string): void {
  if (path.endsWith('.gguf')) return;
  throw new ProxmoError('usage', `--gguf makes a file, and ${path} does not end with .gguf; name it ${path}.gguf.`);
}

type Form = 'adapters' | 'model';

function saveAsFolder(
  engine: Engine,
  policy: Transformer,
  base: string,
  dir: string,
  { form, dtype, card }: { readonly form: Form; readonly dtype: SavedDtype; readonly card: string },
): Promise<string> {
  return form === 'adapters'
    ? saveAdapters(engine, policy.adapters!, base, dir, card)
    : saveWeights(engine, policy, base, dir, { dtype, card });
}

async function saveAsGguf(
  engine: Engine,
  policy: Transformer,
  base: string,
  path: string,
  dtype: SavedDtype,
  form: Form,
): Promise<string> {
  const opened = await openPretrained(base);
  try {
    const { model } = opened;
    const { adapters } = policy;
    if (form === 'adapters' && adapters) {
      checkGgufAdapter(model, adapters.config, adapters.sites);
      await saveGgufAdapter(path, model, adapters.sites, adapters.config.alpha, adapterWeights(engine, adapters));
      return `the adapters (GGUF) for ${base}`;
    }
    const tokenizer = await opened.ggufTokenizer();
    const whole = adapters ? await mergeAdapters(engine, policy) : policy;
    const saved = mergedModel(model, whole);
    await saveGguf(path, saved, pretrainedWeights(engine, whole, saved), dtype, tokenizer);
    return `the policy in ${dtype}${adapters ? ', adapters merged,' : ''}`;
  } finally {
    await opened.close();
  }
}

async function saveAdapters(
  engine: Engine,
  adapters: LoraAdapters,
  base: string,
  dir: string,
  card: string,
): Promise<string> {
  await saveAdapter(dir, adapters.model, adapters.config, adapterWeights(engine, adapters), base, card);
  return `the adapters (PEFT) for ${base}`;
}

async function saveWeights(
  engine: Engine,
  policy: Transformer,
  base: string,
  dir: string,
  { dtype, card }: { readonly dtype: SavedDtype; readonly card: string },
): Promise<string> {
  const whole = policy.adapters ? await mergeAdapters(engine, policy) : policy;
  const opened = await openPretrained(base);
  const [{ model }, companions] = [opened, opened.companions()];
  await opened.close();
  const saved = mergedModel(model, whole);
  await saveHfModel(dir, saved, pretrainedWeights(engine, whole, saved), { dtype, card, companions });
  return `the policy in ${dtype}${policy.adapters ? ', adapters merged,' : ''}`;
}
