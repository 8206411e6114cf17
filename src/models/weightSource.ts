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
  /**
   * The tensor as it is packed, where it is.
   * @throws {ProxmoError} `file` if there is none of that name
   */
  blocks?(name: string): PackedBlocks | null;
}

/** A matrix in blocks, each of a few bits a value with scales. */
export interface PackedBlocks {
  /** As ggml names it, such as `Q4_K`. */
  readonly type: string;
  /** Values of a row. */
  readonly columns: number;
  /**
   * Its blocks, row by row: of the matrix `[out, in]` that products read, whichever way round the tensor is.
   * @throws {ProxmoError} `file` if it cannot be read
   */
  read(): Promise<Uint8Array>;
}
