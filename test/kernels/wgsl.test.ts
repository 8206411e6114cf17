/** The preprocessor of the shaders: its grammar is in kernels/wgsl.ts. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { type Constants, preprocess, type WgslFile } from '../../kernels/wgsl.ts';
import { wgslVite } from '../../scripts/wgsl.mjs';
import { chosenKernels } from '../support/chosenKernels.ts';
import { wgslFile } from '../support/shaders.ts';

const linesOf = async (shader: string | WgslFile, constants: Constants = {}) =>
  (await preprocess(typeof shader === 'string' ? wgslFile(shader) : shader, constants)).split('\n');

describe('branches', () => {
  it('keep the chosen side', async () => {
    const shader = '//#if WIDE\nwide\n  //#else\nnarrow\n//#endif \n//#if !WIDE\nnot wide\n//#endif';
    expect(await linesOf(shader, { WIDE: true })).toEqual(['wide']);
    expect(await linesOf(shader, { WIDE: false })).toEqual(['narrow', 'not wide']);
    expect(await linesOf(shader, { WIDE: 0 })).toEqual(['narrow', 'not wide']);
  });

  it('need a constant that the variant defines, and an end', async () => {
    await expect(linesOf('a\n//#if WIED\nb\n//#endif', { WIDE: true })).rejects.toThrow(
      'test.wgsl:2: the variant does not define WIED',
    );
    await expect(linesOf('//#if WIDE\nb', { WIDE: true })).rejects.toThrow('test.wgsl:1: this block has no #endif');
    await expect(linesOf('b\n//#endif')).rejects.toThrow('test.wgsl:2: what is //#endif here?');
    await expect(linesOf('//#if WIDE\n//#end\n//#endif', { WIDE: true })).rejects.toThrow(
      'test.wgsl:2: what is //#end here?',
    );
  });
});

describe('includes', () => {
  const grid = wgslFile('grid', [], 'grid.wgsl');
  const row = wgslFile('//#include "grid.wgsl"\nrow', [grid], 'row.wgsl');

  it('are put in once', async () => {
    expect(await linesOf(wgslFile('//#include "row.wgsl"\n//#include "grid.wgsl"\nend', [row, grid]))).toEqual([
      'grid',
      'row',
      'end',
    ]);
  });

  it('are put in by the side of a branch that is chosen, whatever the other side includes', async () => {
    const shader = wgslFile('//#if A\n//#include "row.wgsl"\n//#else\nb\n//#include "row.wgsl"\n//#endif\nend', [row]);
    expect(await linesOf(shader, { A: true })).toEqual(['grid', 'row', 'end']);
    expect(await linesOf(shader, { A: false })).toEqual(['b', 'grid', 'row', 'end']);
  });

  it('end their blocks, are there, and stand outside of repetitions', async () => {
    const open = wgslFile('//#if A', [], 'open.wgsl');
    await expect(linesOf(wgslFile('//#include "open.wgsl"\n//#endif', [open]), { A: true })).rejects.toThrow(
      'test.wgsl:2: what is //#endif here?',
    );
    await expect(linesOf('//#include "none.wgsl"')).rejects.toThrow('test.wgsl:1: there is no none.wgsl in shaders/');
    await expect(linesOf(wgslFile('//#each c N\n//#include "grid.wgsl"\n//#end', [grid]), { N: 2 })).rejects.toThrow(
      'test.wgsl:2: an #include cannot stand within #each',
    );
  });
});

describe('loads', () => {
  const row = wgslFile('row', [], 'row.wgsl');
  const loading = (load: () => Promise<WgslFile>): WgslFile => ({
    ...wgslFile('//#if A\n//#load "row.wgsl"\n//#endif\nend'),
    loads: { 'row.wgsl': load },
  });

  it('are made when they are met, and once', async () => {
    const load = vi.fn(async () => row);
    const shader = loading(load);
    expect(await linesOf(shader, { A: false })).toEqual(['end']);
    expect(load).not.toHaveBeenCalled();
    expect(await linesOf(shader, { A: true })).toEqual(['row', 'end']);
    expect(await linesOf(shader, { A: true })).toEqual(['row', 'end']);
    expect(load).toHaveBeenCalledTimes(1);
  });

  it('say what cannot be had, and are tried again', async () => {
    const load = vi.fn(async () => row).mockRejectedValueOnce(new Error('no network'));
    const shader = loading(load);
    await expect(linesOf(shader, { A: true })).rejects.toMatchObject({
      code: 'file',
      message: 'test.wgsl:2: row.wgsl cannot be loaded (no network); try again.',
    });
    expect(await linesOf(shader, { A: true })).toEqual(['row', 'end']);
    await expect(linesOf('//#load "none.wgsl"')).rejects.toThrow('test.wgsl:1: there is no none.wgsl in shaders/');
  });
});

describe('values', () => {
  it('are pasted, but not into comments', async () => {
    expect(await linesOf('let a: $TYPE; // of $N\n// $UNKNOWN, $c', { TYPE: 'vec4<f32>', N: 3 })).toEqual([
      'let a: vec4<f32>; // of 3',
      '// $UNKNOWN, $c',
    ]);
    await expect(linesOf('$TYPE')).rejects.toThrow('test.wgsl:1: the variant does not define TYPE');
    await expect(linesOf('a$c')).rejects.toThrow('test.wgsl:1: $c stands outside of an #each c');
  });
});

describe('repetitions', () => {
  it('repeat lines as text, nested ones too', async () => {
    const shader = '//#each c OUTER\na[$c]\n//#each n INNER\nb$c$n\n//#end\n//#end\nend';
    expect(await linesOf(shader, { OUTER: 2, INNER: 2 })).toEqual(['a[0]', 'b00', 'b01', 'a[1]', 'b10', 'b11', 'end']);
    expect(await linesOf(shader, { OUTER: 0, INNER: 2 })).toEqual(['end']);
  });

  it('become a loop where the number of turns is an expression', async () => {
    expect(await linesOf('//#each c COUNT\na[$c]\n//#end', { COUNT: '(params.count / 4u)' })).toEqual([
      'for (var c = 0u; c < (params.count / 4u); c++) {',
      'a[c]',
      '}',
    ]);
  });

  it('need an end, a number and a letter', async () => {
    await expect(linesOf('//#each c COUNT\na', { COUNT: 2 })).rejects.toThrow('test.wgsl:1: this block has no #end');
    await expect(linesOf('//#each c COUNT\na\n//#end')).rejects.toThrow(
      'test.wgsl:1: the variant does not define COUNT',
    );
    await expect(linesOf('//#each count COUNT\na\n//#end', { COUNT: 2 })).rejects.toThrow(
      'test.wgsl:1: what is //#each count COUNT here?',
    );
  });
});

describe('line ends of Windows', () => {
  const converted = ({ name, text, includes, loads = {} }: WgslFile): WgslFile => ({
    ...wgslFile(
      text.replaceAll('\n', '\r\n'),
      Object.entries(includes).map(([as, file]) => ({ ...converted(file), name: as })),
      name,
    ),
    loads: Object.fromEntries(Object.entries(loads).map(([as, load]) => [as, async () => converted(await load())])),
  });

  it('change no shader', async () => {
    for (const { name, shader, variants } of chosenKernels) {
      for (const { constants } of [variants[0]!, variants.at(-1)!])
        expect(await preprocess(converted(shader), constants), name).toBe(await preprocess(shader, constants));
    }
  });

  it('hide no include from the build', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'proxmo-wgsl-'));
    try {
      const path = join(folder, 'a.wgsl');
      await writeFile(path, '// a\r\n//#include "lib/grid.wgsl"\r\n');
      expect(wgslVite.load(path)).toMatch(/^import file0 from ".*\/shaders\/lib\/grid\.wgsl";$/m);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
