import type { Plugin as EsbuildPlugin } from 'esbuild';

export const pageEsbuild: EsbuildPlugin;
export const pageVite: { name: string; enforce: 'pre'; load(id: string): Promise<string> | null };
