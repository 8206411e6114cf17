/** `proxmo model export`: the trained policy of a run as a folder that Hugging Face's libraries load. */
import { stat } from 'node:fs/promises';
import { Command } from 'commander';
import { ProxmoError } from '../../errors.ts';
import { openDevice } from '../../gpu/device.node.ts';
import { type SavedDtype, saveHfModel } from '../../models/hf/save.node.ts';
import { openPretrained } from '../../models/pretrained.node.ts';
import { pretrainedWeights } from '../../nn/decoderWeights.ts';
import { loadRunModel } from '../../rl/run.node.ts';
import { Engine } from '../../tensor/engine.ts';
import { wholeNumber } from '../arguments.ts';

const dtypes: readonly SavedDtype[] = ['float32', 'float16', 'bfloat16'];

interface ExportOptions {
  readonly dtype: string;
  readonly checkpoint?: number;
  readonly adapter?: string;
}

export function exportCommand(): Command {
  return new Command('export')
    .description('Save the policy of a run that began with a pretrained model as a Hugging Face folder, with its tokenizer.')
    .argument('<run>', 'run folder')
    .argument('<dir>', 'folder to make')
    .option('--dtype <name>', `precision of the weights: ${dtypes.join(', ')}`, 'float32')
    .option('--checkpoint <iteration>', 'iteration whose checkpoint is saved (default: the last)', wholeNumber)
    .option('--adapter <name>', 'hardware, software, swiftshader, or part of an adapter name')
    .action(async (run: string, dir: string, options: ExportOptions) => {
      const dtype = dtypes.find((name) => name === options.dtype);
      if (!dtype) throw new ProxmoError('usage', `There is no precision ${options.dtype}; choose one of ${dtypes.join(', ')}.`);
      const gpu = await openDevice(options.adapter);
      try {
        const engine = new Engine(gpu);
        const { source, config, iteration } = await loadRunModel(engine, run, options.checkpoint);
        if (config.model === undefined) {
          throw new ProxmoError(
            'usage',
            `${run} did not begin with a pretrained model, so its policy has no Hugging Face form; use it by --model ${run}.`,
          );
        }
        const { model } = await describeModel(config.model);
        const isFolder = (await stat(config.model)).isDirectory();
        const tokenizerFrom = isFolder ? { tokenizerFrom: config.model } : {};
        await saveHfModel(dir, model, pretrainedWeights(engine, source.model, model), { dtype, ...tokenizerFrom });
        process.stdout.write(`${dir}: the policy of ${run} after iteration ${iteration}, in ${dtype}\n`);
        if (!isFolder) process.stderr.write(`${dir} has no tokenizer files: ${config.model} keeps its tokenizer in a form of its own.\n`);
      } finally {
        gpu.destroy();
      }
    });
}

/** Family and configuration of a model on disk. */
async function describeModel(path: string) {
  const opened = await openPretrained(path);
  await opened.close();
  return opened;
}
