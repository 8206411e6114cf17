/**
 * The one scale of colours for credit: orange for blame, blue for praise, the page's own ground between. The two hues
 * differ for every common form of colour blindness, and grow darker (on light) or lighter (on dark) alike.
 */

import { computed, signal } from '@preact/signals';
import { formatHex, interpolate, modeOklab, modeRgb, useMode } from 'culori/fn';

useMode(modeRgb);
useMode(modeOklab);

const dark = matchMedia('(prefers-color-scheme: dark)');
const system = signal(dark.matches);
dark.addEventListener('change', () => {
  system.value = dark.matches;
});

/** Null: as the system has it. */
export const chosenTheme = signal<'light' | 'dark' | null>(null);
export const isDark = computed(() => (chosenTheme.value ? chosenTheme.value === 'dark' : system.value));

const stops = {
  light: ['#a04a00', '#e08a2e', '#f4d3a8', '#f1f1ee', '#b4d0f2', '#4f8fdc', '#1a4f9c'],
  dark: ['#ffc078', '#e08a2e', '#7a4a1c', '#2a2c2f', '#244a7d', '#4b8de0', '#a5ccff'],
} as const;

const steps = 128;
const palette = computed(() => {
  const at = interpolate([...stops[isDark.value ? 'dark' : 'light']], 'oklab');
  return Array.from({ length: 2 * steps + 1 }, (_, index) => formatHex(at(index / (2 * steps))));
});

/** @param value from −limit to limit; what is beyond has the colour of the end */
export function creditColour(value: number, limit: number): string {
  if (!Number.isFinite(value)) return 'transparent';
  const share = limit > 0 ? Math.max(-1, Math.min(1, value / limit)) : 0;
  // The root keeps small credit from looking like none.
  const bent = Math.sign(share) * Math.sqrt(Math.abs(share));
  return palette.value[Math.round(steps + bent * steps)]!;
}

/** As `creditColour`, from an even ground to one end: 0 to 1. */
export function shade(value: number, isPraise: boolean): string {
  const share = Math.max(0, Math.min(1, value));
  return palette.value[Math.round(steps + (isPraise ? 1 : -1) * share * steps)]!;
}
