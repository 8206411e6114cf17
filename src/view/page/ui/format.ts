/** Figures and texts as the page shows them. */
import { printable } from '../../../base/printable.ts';

const minus = '\u2212';
const none = '\u2013';

/** JSON has no NaN; files write it as a text. */
export function figure(value: unknown): number {
  return typeof value === 'number' ? value : value === 'Infinity' ? Infinity : value === '-Infinity' ? -Infinity : NaN;
}

export function percent(value: number, digits = 1): string {
  return Number.isFinite(value) ? `${withMinus((100 * value).toFixed(digits))}\u202f%` : none;
}

/** Three significant digits, without an exponent where that is short. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? none : value > 0 ? '∞' : `${minus}∞`;
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-3) return withMinus(value.toExponential(1).replace('.0e', 'e').replace('e+', 'e'));
  if (size >= 1000) return withMinus(Math.round(value).toLocaleString('en').replaceAll(',', '\u202f'));
  return withMinus(
    size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : String(Number(value.toPrecision(3))),
  );
}

/** With two decimals and its sign. */
export function signed(value: number, digits = 2): string {
  if (!Number.isFinite(value)) return none;
  const text = value.toFixed(digits);
  if (Number(text) === 0) return (0).toFixed(digits);
  return value > 0 ? `+${text}` : withMinus(text);
}

export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return none;
  if (seconds < 10) return `${Number(seconds.toFixed(1))} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** A text from a file, its control characters spelled out. What is beyond `most` characters is only counted. */
export function shown(text: unknown, most = 2000): string {
  const whole = typeof text === 'string' ? text : (JSON.stringify(text) ?? '');
  if (whole.length <= most) return printable(whole);
  const more = (whole.length - most).toLocaleString('en').replaceAll(',', '\u202f');
  return `${printable(whole.slice(0, most))}… (${more} more characters)`;
}

/** The same on one line. */
export function line(text: unknown, most = 160): string {
  return shown(text, most).replaceAll(/\s+/g, ' ');
}

function withMinus(text: string): string {
  return text.replace('-', minus);
}
