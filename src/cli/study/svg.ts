/**
 * Figures as SVG files that can be read in light and in dark: Observable Plot draws into a document of linkedom's, and
 * what it draws in a colour of the palette gets that colour's twin where the reader prefers dark.
 */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { type Palette, themedStyle } from '../themedSvg.ts';

/** Colours in light and in dark: those of Okabe and Ito where they tell things apart, which colour-blind people can. */
const palette = {
  ground: ['#ffffff', '#0d1117'],
  ink: ['#1f2328', '#e6edf3'],
  muted: ['#6e7781', '#8b949e'],
  faint: ['#c9cfd6', '#3b434c'],
  blue: ['#0072b2', '#56b4e9'],
  orange: ['#c35500', '#e69f00'],
  green: ['#00805e', '#2bc79a'],
} as const satisfies Palette;

export const colours = Object.fromEntries(Object.entries(palette).map(([name, [light]]) => [name, light])) as {
  readonly [Name in keyof typeof palette]: string;
};

const [lightInk, darkInk] = palette.ink;
const style = `svg { color: ${lightInk} } @media (prefers-color-scheme: dark) { svg { color: ${darkInk} } } ${themedStyle(palette)}`;

/**
 * The text of an SVG file.
 * @param what it shows, for readers who cannot see it
 */
export function drawSvg(what: string, options: Plot.PlotOptions): string {
  const { document } = parseHTML('<html><body></body></html>');
  const svg = Plot.plot({
    document,
    style: { fontSize: '12px', fontFamily: 'system-ui, sans-serif', background: 'none' },
    ...options,
  });
  const element = (name: string, attributes: Readonly<Record<string, string>>, text = '') => {
    const made = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
  };
  svg.prepend(
    element('title', {}, what),
    element('style', {}, style),
    element('rect', { width: '100%', height: '100%', fill: colours.ground }),
  );
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', what);
  return `${svg.outerHTML}\n`;
}
