/** The kernels that tests go through one by one: all, or with `KERNEL=word` those whose name contains the word. */
import { kernels } from '../../kernels/index.ts';

export function isChosen(name: string): boolean {
  return name.includes(process.env.KERNEL ?? '');
}

export const chosenKernels = kernels.filter(({ name }) => isChosen(name));

if (chosenKernels.length === 0)
  throw new Error(`KERNEL=${process.env.KERNEL} is part of no kernel's name; those of kernels/index.ts can be chosen.`);
