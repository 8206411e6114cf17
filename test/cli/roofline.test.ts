/** The roofline picture: where kernels and their labels go, and what the SVG file says of them. */
import { parseHTML } from 'linkedom';
import { describe, expect, it } from 'vitest';
import { kernels } from '../../kernels/index.ts';
import { rooflineSvg } from '../../src/cli/profile/roofline.ts';
import { familyOf, familyStyles } from '../../src/view/profile/families.ts';
import { kernelRates, kernelWords } from '../../src/view/profile/kernelWords.ts';
import { type Label, placeLabels } from '../../src/view/profile/labels.ts';
import { layOutRoofline, type RooflineKernel } from '../../src/view/profile/roofline.ts';

const ceilings = { gflops: 10, gbps: 2 };
const kernel = (name: string, ms: number, figures: Partial<RooflineKernel> = {}): RooflineKernel => ({
  name,
  op: name.split('.')[0]!,
  count: 1,
  ms,
  flops: 1e6 * ms,
  bytes: 1e6 * ms,
  ...figures,
});
const area = { left: 60, top: 40, right: 660, bottom: 440 };
const layOut = (list: readonly RooflineKernel[], listed = 0) =>
  layOutRoofline(list, ceilings, { area, fontSize: 11, listed });

/** What a label covers at the least, whatever the font. */
const boxOf = ({ text, x, y, anchor }: Label) => {
  const width = 0.5 * 11 * text.length;
  const left = x - width * { start: 0, middle: 0.5, end: 1 }[anchor];
  return { left, right: left + width, top: y - 8, bottom: y + 2 };
};

/** Thirty kernels in a heap. */
const heap = Array.from({ length: 30 }, (_, i) =>
  kernel(`matmul.variant${i}`, 30 - i, { op: 'matmul', flops: 1e6 * (30 - i) * (1 + 0.05 * i), bytes: 1e6 * (30 - i) }),
);

describe('the layout of a roofline', () => {
  it('puts kernels by what they compute a byte and a second', () => {
    const { kernels: placed, x, y } = layOut([kernel('a', 2), kernel('b', 1, { flops: 1e7, bytes: 1e6 })]);
    const [a, b] = placed as [(typeof placed)[number], (typeof placed)[number]];
    expect([a.x < b.x, a.y > b.y, a.radius > b.radius]).toEqual([true, true, true]);
    const one = { x: x.find(({ text }) => text === '1')!.at, y: y.find(({ text }) => text === '1')!.at };
    expect(a).toMatchObject({ beyond: null, ...one });
  });

  it('marks an outlier at the edge where it would stretch the axis', () => {
    const usual = [kernel('a', 500), kernel('b', 400, { flops: 3e9 })];
    const { y: without } = layOut(usual);
    const far = kernel('outlier', 0.5, { flops: 1 });
    const { y: ticks, kernels: placed } = layOut([...usual, far]);
    expect(ticks).toEqual(without);
    expect(placed.at(-1)).toMatchObject({ kernel: far, y: area.bottom });
    // Down and to the left: it computes less a byte as well.
    expect(placed.at(-1)!.beyond).toBeGreaterThan(90);
    expect(placed.filter(({ beyond }) => beyond !== null)).toHaveLength(1);
  });

  it('says what both roofs are of in one text where two would lie on each other', () => {
    const textsOf = (halfGflops: number) =>
      layOutRoofline([kernel('a', 2)], { ...ceilings, halfGflops }, { area, fontSize: 11 }).roofs.map(
        ({ text }) => text,
      );
    expect(textsOf(10.2)).toEqual(['', 'matrix products: 10 GFLOP/s, of f16 10.2']);
    expect(textsOf(80)).toEqual(['matrix products: 10 GFLOP/s', 'f16 matrix products: 80 GFLOP/s']);
    expect(textsOf(9)).toEqual(['matrix products: 10 GFLOP/s']);
  });

  it('labels nothing across the triangle of a kernel beyond the edge', () => {
    const { kernels: placed } = layOut([
      kernel('a', 500),
      kernel('b', 400, { flops: 3e9 }),
      kernel('far', 0.5, { flops: 1 }),
    ]);
    const far = placed.at(-1)!;
    expect(boxOf(far.label!).bottom <= far.y - 10 || boxOf(far.label!).left >= far.x + 10).toBe(true);
  });

  it('bounds its axes even for an outlier that takes the time', () => {
    const { y, x, kernels: placed } = layOut([kernel('a', 1), kernel('slow', 1e6, { flops: 1, bytes: 1e12 })]);
    expect(y.length).toBeLessThan(8);
    expect(x.length).toBeLessThan(9);
    expect(placed[0]!.beyond).not.toBeNull();
  });

  it('places labels without overlap, within the picture, and leaves out those without room', () => {
    const { kernels: placed } = layOut(heap);
    const labels = placed.flatMap(({ label }) => label ?? []);
    expect(labels.length).toBeGreaterThan(2);
    expect(labels.length).toBeLessThan(heap.length);
    const boxes = labels.map(boxOf);
    for (const [index, a] of boxes.entries()) {
      expect(a.left).toBeGreaterThanOrEqual(area.left);
      expect(a.right).toBeLessThanOrEqual(area.right);
      for (const b of boxes.slice(index + 1))
        expect(a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom).toBe(false);
    }
  });

  it('calls variants of an op by what sets them apart', () => {
    const names = ['matmul.nt.f32.32x32', 'matmul.nt.f32.16x32'].map((name, i) =>
      kernel(name, 1, { op: 'matmul.nt', flops: 1e6 * (1 + 90 * i) }),
    );
    const { kernels: placed } = layOut([...names, kernel('add.f32', 1, { flops: 1e4 })]);
    expect(placed.map(({ label }) => label?.text).sort()).toEqual(['add', 'matmul.nt 16x32', 'matmul.nt 32x32']);
  });

  it('has a second roof where products of f16 are faster', () => {
    const { roofs } = layOutRoofline([], { ...ceilings, halfGflops: 40 }, { area, fontSize: 11 });
    expect(roofs.map(({ isHalf, text }) => [isHalf, text])).toEqual([
      [false, 'matrix products: 10 GFLOP/s'],
      [true, 'f16 matrix products: 40 GFLOP/s'],
    ]);
    expect(roofs[1]!.points.at(-1)!.y).toBeLessThan(roofs[0]!.points.at(-1)!.y);
  });

  it('says what share of the time has no place in it', () => {
    expect(layOut([kernel('a', 3), kernel('copy', 1, { flops: 0 })]).withoutPlace).toBe(0.25);
    expect(layOut([])).toMatchObject({ kernels: [], withoutPlace: 0 });
  });
});

describe('labels', () => {
  const surroundings = { area, fontSize: 10, lines: [], taken: [] };
  const circle = { x: 300, y: 200, radius: 10, texts: ['name', '1'] };

  it('stand within a circle that is large enough, else beside it', () => {
    expect(placeLabels([{ ...circle, radius: 60 }], surroundings)[0]).toMatchObject({ x: 300, anchor: 'middle' });
    expect(placeLabels([circle], surroundings)[0]).toMatchObject({ x: 313, anchor: 'start' });
    expect(placeLabels([{ ...circle, x: 650 }], surroundings)[0]).toMatchObject({ anchor: 'end' });
  });

  it('keep off lines and what is taken, and shrink to the shorter text before they go', () => {
    const wall = { left: area.left, right: area.right, top: area.top, bottom: area.bottom };
    expect(placeLabels([circle], { ...surroundings, taken: [wall] })).toEqual([null]);
    const right = [
      { x: 315, y: area.top },
      { x: 330, y: area.bottom },
    ];
    expect(placeLabels([circle], { ...surroundings, lines: [right] })[0]).toMatchObject({ anchor: 'end' });
    const narrow = { ...area, left: 285, right: 325 };
    const tight = [
      { left: 0, right: 999, top: 0, bottom: 192 },
      { left: 0, right: 999, top: 208, bottom: 999 },
    ];
    expect(placeLabels([circle], { ...surroundings, area: narrow, taken: tight })[0]).toMatchObject({ text: '1' });
  });
});

describe('a kernel in words', () => {
  it('says what limits it, and how near it comes to that', () => {
    const [time, limit] = kernelWords(kernel('matmul', 2, { count: 4, flops: 1e7, bytes: 1e6 }), 8, ceilings);
    expect(time).toBe('25.0 % of the kernels’ time: 4 dispatches of 500 µs each.');
    expect(limit).toBe(
      'It computes 10 operations for each byte that it has to move, so arithmetic limits it: 5 of the 10 GFLOP/s that matrix products reached here, 50.0 %.',
    );
    expect(kernelWords(kernel('copy', 1, { flops: 0 }), 8, ceilings)[1]).toBe(
      'It computes nothing, so memory limits it: 1 of the 2 GB/s that copies reached here, 50.0 %.',
    );
    expect(kernelWords(kernel('x', 1, { flops: 0, bytes: 0 }), 8, ceilings)[1]).toMatch(/is not known/);
  });

  it('holds products of f16 against what such products reached', () => {
    const work = { count: 1, ms: 1, flops: 1e7, bytes: 1 };
    const both = { ...ceilings, halfGflops: 40 };
    expect(kernelRates(work, 'matmul.nt.f32xf16', both)).toMatchObject({ roof: 40, ofCeiling: 0.25 });
    expect(kernelRates(work, 'matmul.nt', both)).toMatchObject({ roof: 10, ofCeiling: 1 });
  });
});

describe('families', () => {
  it('know every kernel there is but those of the advantages', () => {
    const others = kernels.map(({ name }) => name).filter((name) => familyOf(name) === 'other');
    expect(others).toEqual(['centreRows', 'tfidf', 'proximity', 'proximityMixed', 'proximityDense']);
    expect(familyOf('attentionStep.heads2.f32')).toBe('attention');
    expect(familyOf('addRmsNorm.registers')).toBe('norms');
  });
});

describe('the SVG file', () => {
  const svg = rooflineSvg(
    [kernel('matmul.a<b', 3), kernel('add', 1), kernel('copy', 1, { flops: 0 })],
    ceilings,
    'A "title"',
  );
  const { document } = parseHTML(svg);
  const texts = [...document.querySelectorAll('text')].map(({ textContent }) => textContent);

  it('draws kernels that compute, coloured by family, and lists all by their time', () => {
    const circles = [...document.querySelectorAll('circle[r]')].filter((each) => each.querySelector('title'));
    expect(circles.map((each) => each.getAttribute('fill'))).toEqual([
      familyStyles.products.light,
      familyStyles.elementwise.light,
    ]);
    expect(texts).toEqual(expect.arrayContaining(['A "title"', 'matmul.a<b', '60.0 %', 'copy', 'matrix products']));
    expect(texts.join()).toContain('Kernels that compute nothing, 20.0 % of the time, have no place.');
  });

  it('gives every colour that it draws in a twin for dark', () => {
    const style = document.querySelector('style')!.textContent!;
    const drawn = [...svg.matchAll(/(?:fill|stroke)="(#[0-9a-f]{6})"/g)].map(([, colour]) => colour!);
    for (const colour of new Set(drawn)) expect(style).toContain(`[fill="${colour}"]`);
  });

  it('keeps everything within the picture', () => {
    const heaped = rooflineSvg(heap, ceilings, 'Title');
    for (const [, x, y] of heaped.matchAll(/c?x="([\d.-]+)" c?y="([\d.-]+)"/g)) {
      expect(Number(x)).toBeGreaterThan(0);
      expect(Number(x)).toBeLessThan(1160);
      expect(Number(y)).toBeGreaterThan(0);
      expect(Number(y)).toBeLessThan(620);
    }
  });
});
