/**
 * The roofline picture as an SVG file, for light and dark: circles whose area is the kernel's share of the time,
 * coloured by what it is for; beside them the families of kernels, and the longest kernels by number.
 */
import type { Ceilings } from '../../gpu/rates.ts';
import { type Family, familyOf, familyStyles, familyTimes } from '../../view/profile/families.ts';
import { kernelRates, kernelWords } from '../../view/profile/kernelWords.ts';
import {
  layOutRoofline,
  type PlacedKernel,
  type Roof,
  type RooflineKernel,
  type RooflineLayout,
  roofTextAt,
  type SlopeText,
} from '../../view/profile/roofline.ts';
import { percent } from '../table.ts';
import { type Palette, themedStyle } from '../themedSvg.ts';

const [width, height] = [1160, 620];
const area = { left: 66, top: 58, right: 740, bottom: 540 };
const list = { left: 786, right: width - 24, top: area.top };
const fontSize = 11;
const [familyHeight, rowHeight] = [19, 20];
const mostRows = 14;
/** Longer names are cut in the list, so as not to reach the figures. */
const longestName = 36;

const palette = {
  ground: ['#ffffff', '#0d1117'],
  ink: ['#1f2328', '#e6edf3'],
  muted: ['#66707a', '#8b949e'],
  faint: ['#dfe3e8', '#2a3138'],
  roof: ['#4a5058', '#b6bec7'],
  ...(Object.fromEntries(
    Object.entries(familyStyles).map(([family, { light, dark }]) => [family, [light, dark]]),
  ) as unknown as Readonly<Record<Family, readonly [string, string]>>),
} as const satisfies Palette;

const colour = (name: keyof typeof palette) => palette[name][0];

/** @param kernels all that ran, also those that compute nothing */
export function rooflineSvg(kernels: readonly RooflineKernel[], ceilings: Ceilings, title: string): string {
  const longest = kernels.toSorted((a, b) => b.ms - a.ms);
  const gpuMs = longest.reduce((sum, { ms }) => sum + ms, 0);
  const layout = layOutRoofline(longest, ceilings, { area, fontSize, listed: mostRows });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="${fontSize}" role="img" aria-label="${escapeXml(title)}">`,
    `<style>${themedStyle(palette)}</style>`,
    `<rect width="${width}" height="${height}" fill="${colour('ground')}"/>`,
    text({ x: area.left, y: 30 }, title, { size: 15, weight: 600 }),
    ...axes(layout),
    ...roofs(layout),
    // The small ones lie on top.
    ...layout.kernels.map((placed) => mark(placed, kernelWords(placed.kernel, gpuMs, ceilings))),
    ...layout.kernels.map(label),
    ...familyList(longest, gpuMs),
    ...kernelList(longest, gpuMs, ceilings),
    '</svg>',
    '',
  ].join('\n');
}

function axes({ x, y, withoutPlace }: RooflineLayout): string[] {
  const line = (x1: number, y1: number, x2: number, y2: number) =>
    `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${colour('faint')}"/>`;
  const middle = (area.top + area.bottom) / 2;
  const note = 'A circle’s area is its share of the time; a triangle points to a kernel beyond the edge.';
  const left =
    withoutPlace > 0 ? ` Kernels that compute nothing, ${percent(withoutPlace)} of the time, have no place.` : '';
  return [
    ...x.map(({ at, text: tick }) => [
      line(at, area.top, at, area.bottom),
      text({ x: at, y: area.bottom + 18 }, tick, { anchor: 'middle', muted: true }),
    ]),
    ...y.map(({ at, text: tick }) => [
      line(area.left, at, area.right, at),
      text({ x: area.left - 8, y: at + 4 }, tick, { anchor: 'end', muted: true }),
    ]),
    [
      text({ x: (area.left + area.right) / 2, y: area.bottom + 38 }, 'operations for each byte moved', {
        anchor: 'middle',
      }),
      `<text transform="translate(18 ${middle}) rotate(-90)" text-anchor="middle" fill="${colour('ink')}">GFLOP/s</text>`,
      text({ x: area.left, y: area.bottom + 64 }, note + left, { muted: true }),
    ],
  ].flat();
}

function roofs({ roofs: all, slope }: RooflineLayout): string[] {
  const clip = `<clipPath id="plot"><rect x="${area.left}" y="${area.top}" width="${area.right - area.left}" height="${area.bottom - area.top}"/></clipPath>`;
  const draw = (roof: Roof) => [
    `<polyline points="${roof.points.map(({ x, y }) => `${round(x)},${round(y)}`).join(' ')}" fill="none" stroke="${colour('roof')}" stroke-width="1.75"${roof.isHalf ? ' stroke-dasharray="5 4"' : ''} clip-path="url(#plot)"/>`,
    text(roofTextAt(roof), roof.text, { anchor: 'end' }),
  ];
  return [clip, ...all.flatMap(draw), ...(slope ? [slopeText(slope)] : [])];
}

function slopeText({ text: words, at, angle }: SlopeText): string {
  return `<text transform="translate(${round(at.x)} ${round(at.y)}) rotate(${round(angle)}) translate(0 -7)" text-anchor="middle" fill="${colour('ink')}">${escapeXml(words)}</text>`;
}

function mark({ kernel, family, x, y, radius, beyond }: PlacedKernel, words: readonly string[]): string {
  const look = `fill="${colour(family)}" stroke="${colour(family)}"`;
  const title = `<title>${escapeXml([kernel.name, ...words].join('\n'))}</title>`;
  if (beyond === null)
    return `<circle cx="${round(x)}" cy="${round(y)}" r="${round(radius)}" ${look} fill-opacity="0.35">${title}</circle>`;
  return `<path d="M 0 0 L -9 -5 L -9 5 Z" transform="translate(${round(x)} ${round(y)}) rotate(${round(beyond)})" ${look}>${title}</path>`;
}

function label({ label: placed }: PlacedKernel): string {
  return placed ? text(placed, placed.text, { anchor: placed.anchor }) : '';
}

/** The families there are, with their share of the time. */
function familyList(kernels: readonly RooflineKernel[], gpuMs: number): string[] {
  return familyTimes(kernels).flatMap(([family, ms], index) => {
    const y = list.top + 4 + familyHeight * index;
    return [
      `<circle cx="${list.left + 5}" cy="${y}" r="5" fill="${colour(family)}"/>`,
      text({ x: list.left + 18, y: y + 4 }, familyStyles[family].name),
      text({ x: list.right - 58, y: y + 4 }, percent(ms / gpuMs), { anchor: 'end' }),
    ];
  });
}

function kernelList(kernels: readonly RooflineKernel[], gpuMs: number, ceilings: Ceilings): string[] {
  const top = area.bottom - rowHeight * (mostRows - 1);
  const head = [
    text({ x: list.left, y: top - rowHeight }, 'The longest kernels', { weight: 600 }),
    text({ x: list.right - 58, y: top - rowHeight }, 'of the time', { anchor: 'end', muted: true }),
    text({ x: list.right, y: top - rowHeight }, 'of ceiling', { anchor: 'end', muted: true }),
  ];
  const rows = kernels.slice(0, mostRows).flatMap((kernel, index) => {
    const y = top + rowHeight * index;
    const { ofCeiling } = kernelRates(kernel, kernel.op, ceilings);
    const name = kernel.name.length > longestName ? `${kernel.name.slice(0, longestName - 1)}…` : kernel.name;
    return [
      text({ x: list.left + 12, y }, String(index + 1), { anchor: 'end', muted: true }),
      `<circle cx="${list.left + 24}" cy="${y - 4}" r="4" fill="${colour(familyOf(kernel.op))}"/>`,
      text({ x: list.left + 34, y }, name),
      text({ x: list.right - 58, y }, percent(kernel.ms / gpuMs), { anchor: 'end' }),
      text({ x: list.right, y }, ofCeiling === null ? '–' : percent(ofCeiling), { anchor: 'end' }),
    ];
  });
  return [...head, ...rows];
}

interface TextLook {
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly muted?: boolean;
  readonly size?: number;
  readonly weight?: number;
}

function text({ x, y }: { readonly x: number; readonly y: number }, content: string, look: TextLook = {}): string {
  const { anchor = 'start', muted = false, size, weight } = look;
  const more = `${size ? ` font-size="${size}"` : ''}${weight ? ` font-weight="${weight}"` : ''}`;
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" fill="${colour(muted ? 'muted' : 'ink')}"${more}>${escapeXml(content)}</text>`;
}

function round(value: number): number {
  return Math.round(10 * value) / 10;
}

function escapeXml(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
