/** The newest episodes of a run, a line each. */
import type { RunInfo } from '../../protocol.ts';
import { html } from '../ui/html.ts';

export function NewestEpisodes({ info }: { readonly info: RunInfo }) {
  return html`<section data-run=${info.id} />`;
}
