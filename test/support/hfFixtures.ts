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
 * A variant of each family: llama in two shards with biases and Llama 3's rope scaling, qwen2 tied with YaRN, qwen3
 * with heads of their own width and linear scaling, gpt2 with the exact GELU and scores scaled by layer, mistral with a
 * window, smollm3 with a layer without positions, phi3 with LongRoPE on a part of each head, gemma3 with windows on two
 * of its layers. Windows are shorter than the sequences of expected.json.
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
