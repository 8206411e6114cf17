/** What a shader's text becomes for a variant. */
import { describe, expect, it } from 'vitest';
import { assembleShader, type Constants, defineKernel } from '../../kernels/spec.ts';

function assemble(shader: string, constants: Constants): string[] {
  const spec = defineKernel<{ count: number }>({
    name: 'example',
    shader,
    bindings: { x: { dtype: 'f32', access: 'read' } },
    params: { count: 'u32' },
    variants: [{ label: 'only', constants }],
    sizes: ({ count }) => ({ x: count }),
    dispatch: () => [1, 1, 1],
    cost: () => ({ flops: 0, bytes: 0 }),
    reference: () => ({}),
    cases: [],
    tolerance: { absolute: 0, relative: 0 },
  });
  const lines = assembleShader(spec, spec.variants[0]!).split('\n');
  return lines.slice(lines.findIndex((line) => line.includes('var<storage')) + 1);
}

describe('assembleShader', () => {
  it('keeps the chosen side of a branch', () => {
    const shader = '//#if WIDE\nwide\n//#else\nnarrow\n//#endif\n//#if !WIDE\nnot wide\n//#endif';
    expect(assemble(shader, { WIDE: true })).toEqual(['wide']);
    expect(assemble(shader, { WIDE: false })).toEqual(['narrow', 'not wide']);
  });

  it('pastes string constants', () => {
    expect(assemble('let a: $TYPE;', { TYPE: 'vec4<f32>' })).toEqual(['let a: vec4<f32>;']);
    expect(() => assemble('$TYPE', {})).toThrow('shader uses $TYPE, which the variant does not define');
  });

  it('repeats lines as text, nested ones too', () => {
    const shader = '//#each c OUTER\na[$c]\n//#each n INNER\nb$c$n\n//#end\n//#end\nend';
    expect(assemble(shader, { OUTER: 2, INNER: 2 })).toEqual(['a[0]', 'b00', 'b01', 'a[1]', 'b10', 'b11', 'end']);
    expect(assemble(shader, { OUTER: 0, INNER: 2 })).toEqual(['end']);
  });

  it('makes a loop where the number of turns is an expression', () => {
    expect(assemble('//#each c COUNT\na[$c]\n//#end', { COUNT: '(params.count / 4u)' })).toEqual([
      'for (var c = 0u; c < (params.count / 4u); c++) {',
      'a[c]',
      '}',
    ]);
  });

  it('refuses repetitions without an end or a number', () => {
    expect(() => assemble('//#each c COUNT\na', { COUNT: 2 })).toThrow('shader repeats lines for COUNT');
    expect(() => assemble('//#each c COUNT\na\n//#end', {})).toThrow('which the variant does not define');
  });
});
