/** Markup: `htm` bound to preact. */
export { html } from 'htm/preact';
export type { ComponentChildren as Children } from 'preact';
