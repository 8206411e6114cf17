export interface PeerCase {
  readonly name: string;
  readonly shape: Readonly<Record<string, number>>;
}
export const cases: readonly PeerCase[];
export function uniformNumbers(count: number, seed: number): Float32Array<ArrayBuffer>;
export function sparseVectors(shape: Readonly<Record<string, number>>): {
  readonly vectors: readonly { readonly columns: number[]; readonly weights: number[] }[];
  readonly returns: Float32Array<ArrayBuffer>;
};
export function checksum(values: ArrayLike<number>): number;
export function timeCalls(call: () => unknown, repeats?: number): Promise<{ median: number; min: number; max: number }>;
