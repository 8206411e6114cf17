/** SVG files that can be read in light and in dark. */

/** Colours by name, in light and in dark. */
export type Palette = Readonly<Record<string, readonly [light: string, dark: string]>>;

/** A style sheet that gives what is drawn in a light colour its twin where the reader prefers dark. */
export function themedStyle(palette: Palette): string {
  const twins = Object.values(palette)
    .map(([light, dark]) => `[fill="${light}"] { fill: ${dark} } [stroke="${light}"] { stroke: ${dark} }`)
    .join(' ');
  return `@media (prefers-color-scheme: dark) { ${twins} }`;
}
