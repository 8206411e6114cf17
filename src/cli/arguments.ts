/** Parsers of command-line values. */
import { InvalidArgumentError } from 'commander';

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
