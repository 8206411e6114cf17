/** Parsers of command-line values, and options that several commands have. */
import { InvalidArgumentError, Option } from 'commander';
import { ProxmoError } from '../base/errors.ts';
import { splits } from '../envs/taskLists.ts';
import { precisions } from '../nn/precision.ts';

export function adapterOption(): Option {
  return new Option(
    '--adapter <name>',
    'hardware, software, swiftshader, or part of an adapter name (default: the best there is)',
  );
}

/** What names a pretrained model. */
export const modelArgument =
  "folder of a Hugging Face model, GGUF file, or OWNER/NAME of a model in the hub's cache (proxmo model fetch)";

/** What names a pretrained model, or a trained one. */
export const modelOrRun = `${modelArgument}, or folder of a run`;

export function precisionOption(): Option {
  return new Option(
    '--precision <precision>',
    'f32; f16, which stores matrices, what they are multiplied with, and the KV cache in half the memory; or packed, which leaves the matrices of a GGUF file in their 4 to 8 bits and computes as f32',
  ).choices(precisions);
}

export function nonFiniteOption(): Option {
  return new Option('--allow-nonfinite', 'look at a model some of whose weights are NaN or infinite');
}

export function splitOption(description: string): Option {
  return new Option('--split <name>', description).choices(splits);
}

/** An option that may be given several times: its value is the list of them. */
export function repeatedOption(flags: string, description: string): Option {
  return new Option(flags, `${description}; may be given several times`)
    .argParser((value, previous: readonly string[]) => [...previous, value])
    .default([], 'none');
}

/**
 * Refuses options that make no sense beside another.
 * @param why of that other one, as `prints the memory alone`
 * @param others values by option; undefined and false are those that were not given
 * @throws {ProxmoError} `usage` if one was given
 */
export function refuseBeside(option: string, why: string, others: Readonly<Record<string, unknown>>): void {
  const [other] = Object.entries(others).find(([, value]) => value !== undefined && value !== false) ?? [];
  if (other !== undefined) throw new ProxmoError('usage', `${option} ${why}, so ${other} cannot be given with it.`);
}

export function wholeNumber(value: string): number {
  return checked(value, (number) => Number.isSafeInteger(number) && number >= 0, 'a whole number of 0 or more');
}

/** A whole number of things that there must be. */
export function count(value: string): number {
  return checked(value, (number) => Number.isSafeInteger(number) && number >= 1, 'a whole number of 1 or more');
}

export function nonNegative(value: string): number {
  return checked(value, (number) => Number.isFinite(number) && number >= 0, 'a number of 0 or more');
}

export function positive(value: string): number {
  return checked(value, (number) => Number.isFinite(number) && number > 0, 'a number above 0');
}

/** A share of a whole, of which there must be some. */
export function share(value: string): number {
  return checked(value, (number) => number > 0 && number <= 1, 'a number above 0 and at most 1');
}

function checked(value: string, isRight: (number: number) => boolean, what: string): number {
  const number = Number(value);
  if (value.trim() === '' || !isRight(number)) throw new InvalidArgumentError(`It must be ${what}.`);
  return number;
}
