export interface PeerKernelCase {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly { readonly shape: readonly number[]; readonly values: Float32Array<ArrayBuffer> }[];
  /** 0 where a rate says nothing. */
  readonly flops: number;
}
export const kernelCases: readonly PeerKernelCase[];
export function isRight(kernelCase: PeerKernelCase, result: ArrayLike<number>): boolean;
export function timeOnDevice(call: () => unknown, repeats?: number): Promise<{ median: number; min: number; max: number }>;
