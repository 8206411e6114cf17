/** Parsers of command-line values, and options that several commands have. */
import { InvalidArgumentError, Option } from 'commander';
import { precisions } from '../nn/halfWeights.ts';

export function precisionOption(): Option {
  return new Option('--precision <precision>', 'how matrices are stored; f16 takes half the memory').choices(precisions);
}

/** Gathers an option that may be given several times. */
export function collect(value: string, previous: readonly string[]): string[] {
  return [...previous, value];
}

export function wholeNumber(value: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 0 || value.trim() === '')
    throw new InvalidArgumentError('It must be a whole number of 0 or more.');
  return number;
}

export function realNumber(value: string): number {
  const number = Number(value);
  if (!Number.isFinite(number) || value.trim() === '') throw new InvalidArgumentError('It must be a number.');
  return number;
}
