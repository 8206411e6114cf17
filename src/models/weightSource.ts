/**
 * Where weights come from: a checkpoint that hands out one tensor at a time under Hugging Face's names, so that a model
 * larger than the host's memory can be loaded. Safetensors folders (`hf/checkpoint.node.ts`), GGUF files, and models on
 * a device are sources.
 */
export interface WeightSource {
  /** Names of all tensors. */
  names(): readonly string[];
  /** @throws {ProxmoError} `file` if there is no tensor of that name */
  shape(name: string): readonly number[];
  /**
   * The tensor as float32, row-major, in memory of its own.
   * @throws {ProxmoError} `file` if there is none of that name or it cannot be read
   */
  read(name: string): Promise<Float32Array>;
}
