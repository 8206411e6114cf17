/**
 * What a reference implementation computes with a model: `expected.json`, as the program of `proxmo model reference`
 * writes it.
 * Every part may be left out.
 *
 *   input_ids            [sequences][tokens], sequences of one length
 *   logits               [sequences][positions][vocabulary] at logits_positions
 *   loss                 mean cross-entropy of each token from those before it
 *   grads                of the loss, by parameter: Euclidean norm, and the first values in row-major order
 *   greedy               the likeliest continuation of a prompt
 *   adamw                losses before each of some steps on the same batch, with clipped gradients and decay of all parameters
 *   tokenizer, chat      texts with their ids, and messages with the text that the chat template makes of them
 */
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { checked } from '../../base/schemaProblems.ts';
import { textOfFile } from '../../base/wholeFile.node.ts';

/** Name of the file that is looked for beside a model. */
export const expectedFile = 'expected.json';

const ids = z.array(z.int().min(0));
const numbers = z.array(z.number());

const schema = z.strictObject({
  input_ids: z.array(ids.min(2)).min(1).optional(),
  logits_positions: ids.optional(),
  logits: z.array(z.array(numbers)).optional(),
  loss: z.number().optional(),
  grads: z.record(z.string(), z.object({ norm: z.number(), first: numbers })).optional(),
  greedy: z.object({ prompt: ids.min(1), tokens: ids.min(1) }).optional(),
  adamw: z
    .object({
      lr: z.number(),
      weight_decay: z.number(),
      betas: z.tuple([z.number(), z.number()]),
      eps: z.number(),
      clip: z.number(),
      losses: numbers.min(1),
    })
    .optional(),
  tokenizer: z.array(z.object({ text: z.string(), ids })).optional(),
  chat: z
    .object({ messages: z.array(z.looseObject({ role: z.string(), content: z.string() })), text: z.string() })
    .optional(),
});

export type Expected = z.output<typeof schema>;

const advice = '`proxmo model reference MODEL | python3 -` makes it; --expected names another one';

/** @throws {ProxmoError} `file` if the file cannot be read or is not what it should be */
export async function readExpected(path: string): Promise<Expected> {
  const text = await textOfFile(path, advice);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new ProxmoError('file', `${path} is not JSON; make it again.`, { cause });
  }
  const expected = checked(schema, json, (problem) => new ProxmoError('file', `${path}: ${problem}; make it again.`));
  checkParts(expected, path);
  return expected;
}

/** Parts that need each other. */
function checkParts(
  { input_ids: sequences, logits, logits_positions: positions, loss, grads, adamw }: Expected,
  path: string,
): void {
  const fail = (what: string) => new ProxmoError('file', `${path}: ${what}; make it again.`);
  if (!sequences) {
    if (logits || loss !== undefined || grads || adamw) throw fail('logits, loss, grads and adamw need input_ids');
    return;
  }
  const length = sequences[0]?.length ?? 0;
  if (sequences.some((sequence) => sequence.length !== length))
    throw fail('the sequences of input_ids have different lengths');
  if (logits && (!positions || positions.some((position) => position >= length)))
    throw fail('logits need logits_positions within the sequences');
  if (logits && (logits.length !== sequences.length || logits.some((rows) => rows.length !== positions?.length)))
    throw fail('logits are not [sequences][positions][vocabulary]');
}
