/**
 * `proxmo model reference`: how to make the results of PyTorch that `proxmo model verify` compares with. It prints a
 * program for Python, as nothing here needs Python otherwise.
 */
import { basename, join, resolve } from 'node:path';
import { Command } from 'commander';
import { exists } from '../../base/atomicFile.node.ts';
import { ProxmoError } from '../../base/errors.ts';
import { locateModel } from '../../models/hub/cache.node.ts';
import { openPretrained } from '../../models/pretrained.node.ts';
import { positionLimit } from '../../models/transformerConfig.ts';
import { count, modelArgument, wholeNumber } from '../arguments.ts';
import { standardOutput } from '../output.ts';
import { expectedFile } from './expected.ts';
import { referenceScript } from './referenceScript.ts';

interface ReferenceOptions {
  readonly to?: string;
  readonly length: number;
  readonly steps: number;
}

/** Fewest tokens of a sequence: what a greedy continuation begins with. */
const shortest = 8;

export function referenceCommand(): Command {
  return new Command('reference')
    .description(
      'Print a Python program that computes with PyTorch and transformers what `proxmo model verify` compares with: pip install torch transformers (and gguf and accelerate for a GGUF file), then proxmo model reference MODEL | python3 -',
    )
    .argument('<model>', modelArgument)
    .option('--to <file>', 'where the program writes its results (default: expected.json beside the model)')
    .option('--length <n>', 'tokens of each of the two sequences', count, 24)
    .option('--steps <n>', 'training steps on all weights, whose losses are compared, too', wholeNumber, 0)
    .action(async (path: string, { to, length, steps }: ReferenceOptions) => {
      const opened = await openPretrained(await locateModel(path));
      await opened.close();
      const longest = positionLimit(opened.model.transformer);
      if (length < shortest || length > longest) {
        throw new ProxmoError('usage', `--length must be between ${shortest} and the model's ${longest} positions.`);
      }
      const folder = resolve(opened.folder);
      const gguf = opened.isGguf ? basename(opened.path) : null;
      const hasTokenizer = opened.isGguf || (await exists(join(folder, 'tokenizer.json')));
      const output = resolve(to ?? join(folder, expectedFile));
      standardOutput.print(referenceScript({ folder, gguf, hasTokenizer, output, length, steps }));
    });
}
