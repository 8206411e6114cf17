/** Says what a folder is that holds no model in the form that is read, and what to do about it. */
import { readdir } from 'node:fs/promises';
import { ProxmoError } from '../../base/errors.ts';

/** Files of weights in other forms, by what they are. */
const otherWeights: readonly (readonly [RegExp, string])[] = [
  [/^pytorch_model.*\.bin(\.index\.json)?$/, "PyTorch's pickle form, which can run code when it is read"],
  [/\.(pt|pth|ckpt)$/, "PyTorch's pickle form, which can run code when it is read"],
  [/\.(h5|msgpack)$/, 'a form for TensorFlow or Flax'],
  [/\.onnx$/, 'ONNX'],
];

/** @throws {ProxmoError} `file` if the folder has weights, but in no file that is read */
export async function refuseOtherWeights(dir: string): Promise<void> {
  const names = await filesOf(dir);
  if (names.includes('model.safetensors')) return;
  const gguf = names.find((name) => name.endsWith('.gguf'));
  if (gguf !== undefined) throw new ProxmoError('file', `${dir} is a folder; give the file ${gguf} in it.`);
  for (const [pattern, form] of otherWeights) {
    const file = names.find((name) => pattern.test(name));
    if (file === undefined) continue;
    throw new ProxmoError(
      'file',
      `${dir} has its weights in ${file}, ${form}; save them as safetensors, in Python with ` +
        `AutoModelForCausalLM.from_pretrained("${dir}").save_pretrained("NEW", safe_serialization=True).`,
    );
  }
}

/** @throws {ProxmoError} `file` if a folder without config.json is one of adapters or of GGUF files */
export async function refuseOtherFolder(dir: string): Promise<void> {
  const names = await filesOf(dir);
  if (names.includes('adapter_config.json')) {
    throw new ProxmoError(
      'file',
      `${dir} holds adapters, not a model; give their base model, and train on with --set lora.from=${dir}.`,
    );
  }
  const gguf = names.find((name) => name.endsWith('.gguf'));
  if (gguf !== undefined) throw new ProxmoError('file', `${dir} is a folder; give the file ${gguf} in it.`);
}

async function filesOf(dir: string): Promise<readonly string[]> {
  return (await readdir(dir).catch(() => [])).sort();
}
