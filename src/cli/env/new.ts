/** `proxmo env new`: an environment of one's own to begin with. */
import { Command } from 'commander';
import { environmentSkeleton } from '../skeleton/environment.ts';
import { writeSkeleton } from '../skeleton/write.ts';

export function newEnvironmentCommand(): Command {
  return new Command('new')
    .description('Write a small environment of your own that works, and its test, to be changed into what you need.')
    .argument('<name>', 'its name, as my-world: writes my-world.mjs and my-world.test.mjs')
    .option('--to <dir>', 'folder to write to', '.')
    .action((name: string, { to }: { readonly to: string }) => writeSkeleton(environmentSkeleton, name, to));
}
