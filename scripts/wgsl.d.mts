import type { Plugin as EsbuildPlugin } from 'esbuild';

export const wgslEsbuild: EsbuildPlugin;
export const wgslVite: { name: string; enforce: 'pre'; load(id: string): string | null };
