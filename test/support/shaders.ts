/** Shaders for tests that need one of their own. */
import type { WgslFile } from '../../kernels/wgsl.ts';

export function wgslFile(text: string, includes: readonly WgslFile[] = [], name = 'test.wgsl'): WgslFile {
  return { name, text, includes: Object.fromEntries(includes.map((file) => [file.name, file])) };
}
