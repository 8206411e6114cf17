/** The shared snippets of the shaders, for kernels of one's own: what `//#include "lib/…"` may name there. */
import elements from '../shaders/lib/elements.wgsl';
import grid from '../shaders/lib/grid.wgsl';
import row from '../shaders/lib/row.wgsl';
import stored from '../shaders/lib/stored.wgsl';
import type { WgslFile } from './wgsl.ts';

const shaderLibrary: readonly WgslFile[] = [elements, grid, row, stored];

/**
 * The shader of a kernel, from its text.
 * @param name for messages about it, as `mine.wgsl`
 * @param text WGSL with an entry point `main`, and the directives of `kernels/wgsl.ts`. Parameter struct, bindings and
 * constants are declared from the kernel's spec. It may include `lib/elements.wgsl` (flat arrays in blocks),
 * `lib/grid.wgsl` (the number of a workgroup), `lib/row.wgsl` (rows and their sums) and `lib/stored.wgsl` (f16).
 */
export function shader(name: string, text: string): WgslFile {
  return { name, text, includes: Object.fromEntries(shaderLibrary.map((file) => [file.name, file])) };
}
