/** `proxmo kernel`: kernels of one's own. */
import { Command } from 'commander';
import { newKernelCommand } from './kernel/new.ts';

export function kernelCommand(): Command {
  return new Command('kernel').description('Begin a kernel of your own.').addCommand(newKernelCommand());
}
