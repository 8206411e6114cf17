/**
 * Tiny Hugging Face checkpoints with random weights, and what PyTorch computes with them
 * (`test/oracle/hf_expected.py`).
 */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HfCheckpoint } from '../../src/models/hf/checkpoint.node.ts';
import type { WeightSource } from '../../src/models/weightSource.ts';

const folder = join(dirname(fileURLToPath(import.meta.url)), '..', 'fixtures', 'hf');

/**
 * A variant of each family. The llama is in two shards with biases and Llama 3's rope scaling. The qwen2 is tied with
 * YaRN, the qwen3 has heads of their own width and linear scaling. The gpt2 has the exact GELU and scores scaled by
 * layer. Then a mistral with a window, a smollm3 with a layer without positions, a phi3 with LongRoPE on a part of each
 * head, and a gemma3 with windows on two of its layers. Windows are shorter than the sequences of expected.json.
 */
export const hfFixtures = ['gpt2', 'llama', 'qwen2', 'qwen3', 'mistral', 'smollm3', 'phi3', 'gemma3'] as const;

export function hfFixture(name: (typeof hfFixtures)[number]): string {
  return join(folder, name);
}

/** A checkpoint's tensors in memory, to be changed. */
export async function tensorsOf(dir: string): Promise<Map<string, { shape: readonly number[]; data: Float32Array }>> {
  const checkpoint = await HfCheckpoint.open(dir);
  const tensors = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const name of checkpoint.names())
    tensors.set(name, { shape: checkpoint.shape(name), data: await checkpoint.read(name) });
  await checkpoint.close();
  return tensors;
}

/** Tensors in memory as a source. */
export function sourceOf(
  tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>,
): WeightSource {
  return {
    names: () => [...tensors.keys()],
    shape: (name) => tensors.get(name)!.shape,
    read: async (name) => Float32Array.from(tensors.get(name)!.data),
  };
}
