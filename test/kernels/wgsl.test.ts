/** The preprocessor of the shaders: its grammar is in kernels/wgsl.ts. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { kernels } from '../../kernels/index.ts';
import { type Constants, preprocess, type WgslFile } from '../../kernels/wgsl.ts';
import { wgslVite } from '../../scripts/wgsl.mjs';
import { wgslFile } from '../support/shaders.ts';

const linesOf = (shader: string | WgslFile, constants: Constants = {}) =>
  preprocess(typeof shader === 'string' ? wgslFile(shader) : shader, constants).split('\n');

describe('branches', () => {
  it('keep the chosen side', () => {
    const shader = '//#if WIDE\nwide\n  //#else\nnarrow\n//#endif \n//#if !WIDE\nnot wide\n//#endif';
    expect(linesOf(shader, { WIDE: true })).toEqual(['wide']);
    expect(linesOf(shader, { WIDE: false })).toEqual(['narrow', 'not wide']);
    expect(linesOf(shader, { WIDE: 0 })).toEqual(['narrow', 'not wide']);
  });

  it('need a constant that the variant defines, and an end', () => {
    expect(() => linesOf('a\n//#if WIED\nb\n//#endif', { WIDE: true })).toThrow(
      'test.wgsl:2: the variant does not define WIED',
    );
    expect(() => linesOf('//#if WIDE\nb', { WIDE: true })).toThrow('test.wgsl:1: this block has no #endif');
    expect(() => linesOf('b\n//#endif')).toThrow('test.wgsl:2: what is //#endif here?');
    expect(() => linesOf('//#if WIDE\n//#end\n//#endif', { WIDE: true })).toThrow('test.wgsl:2: what is //#end here?');
  });
});

describe('includes', () => {
  const grid = wgslFile('grid', [], 'grid.wgsl');
  const row = wgslFile('//#include "grid.wgsl"\nrow', [grid], 'row.wgsl');

  it('are put in once', () => {
    expect(linesOf(wgslFile('//#include "row.wgsl"\n//#include "grid.wgsl"\nend', [row, grid]))).toEqual([
      'grid',
      'row',
      'end',
    ]);
  });

  it('are put in by the side of a branch that is chosen, whatever the other side includes', () => {
    const shader = wgslFile('//#if A\n//#include "row.wgsl"\n//#else\nb\n//#include "row.wgsl"\n//#endif\nend', [row]);
    expect(linesOf(shader, { A: true })).toEqual(['grid', 'row', 'end']);
    expect(linesOf(shader, { A: false })).toEqual(['b', 'grid', 'row', 'end']);
  });

  it('end their blocks, are there, and stand outside of repetitions', () => {
    const open = wgslFile('//#if A', [], 'open.wgsl');
    expect(() => linesOf(wgslFile('//#include "open.wgsl"\n//#endif', [open]), { A: true })).toThrow(
      'test.wgsl:2: what is //#endif here?',
    );
    expect(() => linesOf('//#include "none.wgsl"')).toThrow('test.wgsl:1: there is no none.wgsl in shaders/');
    expect(() => linesOf(wgslFile('//#each c N\n//#include "grid.wgsl"\n//#end', [grid]), { N: 2 })).toThrow(
      'test.wgsl:2: an #include cannot stand within #each',
    );
  });
});

describe('values', () => {
  it('are pasted, but not into comments', () => {
    expect(linesOf('let a: $TYPE; // of $N\n// $UNKNOWN, $c', { TYPE: 'vec4<f32>', N: 3 })).toEqual([
      'let a: vec4<f32>; // of 3',
      '// $UNKNOWN, $c',
    ]);
    expect(() => linesOf('$TYPE')).toThrow('test.wgsl:1: the variant does not define TYPE');
    expect(() => linesOf('a$c')).toThrow('test.wgsl:1: $c stands outside of an #each c');
  });
});

describe('repetitions', () => {
  it('repeat lines as text, nested ones too', () => {
    const shader = '//#each c OUTER\na[$c]\n//#each n INNER\nb$c$n\n//#end\n//#end\nend';
    expect(linesOf(shader, { OUTER: 2, INNER: 2 })).toEqual(['a[0]', 'b00', 'b01', 'a[1]', 'b10', 'b11', 'end']);
    expect(linesOf(shader, { OUTER: 0, INNER: 2 })).toEqual(['end']);
  });

  it('become a loop where the number of turns is an expression', () => {
    expect(linesOf('//#each c COUNT\na[$c]\n//#end', { COUNT: '(params.count / 4u)' })).toEqual([
      'for (var c = 0u; c < (params.count / 4u); c++) {',
      'a[c]',
      '}',
    ]);
  });

  it('need an end, a number and a letter', () => {
    expect(() => linesOf('//#each c COUNT\na', { COUNT: 2 })).toThrow('test.wgsl:1: this block has no #end');
    expect(() => linesOf('//#each c COUNT\na\n//#end')).toThrow('test.wgsl:1: the variant does not define COUNT');
    expect(() => linesOf('//#each count COUNT\na\n//#end', { COUNT: 2 })).toThrow(
      'test.wgsl:1: what is //#each count COUNT here?',
    );
  });
});

describe('line ends of Windows', () => {
  const converted = ({ name, text, includes }: WgslFile): WgslFile =>
    wgslFile(
      text.replaceAll('\n', '\r\n'),
      Object.entries(includes).map(([as, file]) => ({ ...converted(file), name: as })),
      name,
    );

  it('change no shader', () => {
    for (const { name, shader, variants } of kernels) {
      for (const { constants } of [variants[0]!, variants.at(-1)!])
        expect(preprocess(converted(shader), constants), name).toBe(preprocess(shader, constants));
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
