/**
 * Adapters with random weights on the tiny checkpoints, and what PEFT computes with them
 * (`test/oracle/peft_expected.py`).
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hfFixture } from './hfFixtures.ts';

const folder = join(dirname(fileURLToPath(import.meta.url)), '..', 'fixtures', 'peft');

/**
 * Part of a llama's fused projections, GPT-2's fused one, all of a Qwen3 with rank-stabilised factors, and a Phi-3's
 * fused ones with ranks and alphas by pattern. A llama's embedding and head beside a projection. Of a Qwen2, whose
 * head is tied to its embedding, an adapter on the head, with embedding and norms trained as a whole.
 */
export const peftFixtures = ['llama', 'gpt2', 'qwen3', 'phi3', 'llama-ends', 'qwen2-tied'] as const;

/** The tiny checkpoint that an adapter was made for. */
export function peftBase(name: (typeof peftFixtures)[number]): string {
  return hfFixture(name === 'llama-ends' ? 'llama' : name === 'qwen2-tied' ? 'qwen2' : name);
}

export function peftFixture(name: (typeof peftFixtures)[number]): string {
  return join(folder, name);
}

export interface PeftExpected {
  readonly input_ids: readonly (readonly number[])[];
  /** Of each sequence's last token. */
  readonly last_logits: readonly (readonly number[])[];
  readonly loss: number;
  readonly grads: Readonly<Record<string, { readonly norm: number; readonly first: readonly number[] }>>;
}

export function peftExpected(name: (typeof peftFixtures)[number]): PeftExpected {
  return JSON.parse(readFileSync(join(peftFixture(name), 'expected.json'), 'utf8')) as PeftExpected;
}
