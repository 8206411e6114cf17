/** What was trained, in the form that Hugging Face's libraries and `proxmo train` load. */
import { saveHfModel } from '../../models/hf/save.node.ts';
import { saveAdapter } from '../../models/peft.node.ts';
import { openPretrained } from '../../models/pretrained.node.ts';
import { pretrainedWeights } from '../../nn/decoderWeights.ts';
import { adapterWeights } from '../../nn/loraWeights.ts';
import type { Transformer } from '../../nn/transformer.ts';
import type { Engine } from '../../tensor/engine.ts';

/**
 * Saves adapters as a PEFT folder, or all weights as a Hugging Face folder with the base's tokenizer.
 * @param base path of the model that training began with
 * @param dir must not exist yet
 * @throws {ProxmoError} `file` if the folder exists or cannot be written
 */
export async function saveTrained(engine: Engine, policy: Transformer, base: string, dir: string): Promise<void> {
  const { adapters } = policy;
  if (adapters) return saveAdapter(dir, adapters.model, adapters.config, adapterWeights(engine, adapters), base);
  const opened = await openPretrained(base);
  const [{ model }, companions] = [opened, opened.companions()];
  await opened.close();
  await saveHfModel(dir, model, pretrainedWeights(engine, policy, model), { companions });
}
