export interface Column {
  readonly name: string;
  readonly op: 'nn' | 'nt' | 'tn' | 'softmax' | 'layerNorm' | 'baseline' | 'train';
  readonly inputs: readonly { readonly shape: readonly number[]; readonly values: Float32Array }[];
}

export const columns: readonly Column[];
export const groupSize: number;
export const temperature: number;
