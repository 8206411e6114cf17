/** `proxmo kernel new`: a kernel of one's own to begin with. */
import { Command } from 'commander';
import { kernelSkeleton } from '../skeleton/kernel.ts';
import { writeSkeleton } from '../skeleton/write.ts';

export function newKernelCommand(): Command {
  return new Command('new')
    .description('Write an activation kernel of your own that works, with its gradient and its test, to be changed.')
    .argument('<name>', 'its name, as mish: writes mish.mjs and mish.test.mjs')
    .option('--to <dir>', 'folder to write to', '.')
    .action((name: string, { to }: { readonly to: string }) => writeSkeleton(kernelSkeleton, name, to));
}
