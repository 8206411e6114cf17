/**
 * `proxmo model`: pretrained models on disk, what they are and whether they compute here what they compute elsewhere.
 */
import { Command } from 'commander';
import { exportCommand } from './model/export.ts';
import { fetchCommand } from './model/fetch.ts';
import { inspectCommand } from './model/inspect.ts';
import { referenceCommand } from './model/reference.ts';
import { verifyCommand } from './model/verify.ts';

export function modelCommand(): Command {
  return new Command('model')
    .description(
      'Get a pretrained model, and look at it: what it is and what it needs, whether it computes what a reference computes; and save a trained one.',
    )
    .addCommand(fetchCommand())
    .addCommand(inspectCommand())
    .addCommand(verifyCommand())
    .addCommand(referenceCommand())
    .addCommand(exportCommand());
}
