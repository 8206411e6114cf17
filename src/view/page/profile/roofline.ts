/** The roofline as it is drawn in the page: what is pointed at, or has the focus, says its figures in words. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { type Family, familyOf, familyStyles, familyTimes } from '../../profile/families.ts';
import { kernelWords } from '../../profile/kernelWords.ts';
import type { Box } from '../../profile/labels.ts';
import type { ProfileFile } from '../../profile/profileFile.ts';
import { layOutRoofline, type PlacedKernel, type RooflineLayout, roofTextAt } from '../../profile/roofline.ts';
import { isDark } from '../ui/colour.ts';
import { line, percent } from '../ui/format.ts';
import { html } from '../ui/html.ts';
import { Term, withTip } from '../ui/tip.ts';
import { chooseKernel, gpuMs, kernel, kernels } from './state.ts';

const fontSize = 11;
/** In a narrower place the picture is cut. */
const narrowest = 240;
/** Pixels around a circle that still belong to it. */
const reach = 4;

type Ceilings = ProfileFile['ceilings'];

function colourOf(family: Family): string {
  return familyStyles[family][isDark.value ? 'dark' : 'light'];
}

export function familyColour(op: string): string {
  return colourOf(familyOf(op));
}

export function Roofline({ ceilings }: { readonly ceilings: Ceilings }) {
  const host = useRef<HTMLElement>(null);
  const width = useSignal(700);
  useEffect(() => {
    const observer = new ResizeObserver(() => {
      width.value = Math.max(narrowest, host.current?.clientWidth ?? 0);
    });
    observer.observe(host.current!);
    return () => observer.disconnect();
  }, [width]);
  const height = Math.round(Math.min(520, Math.max(340, 0.6 * width.value)));
  const area = { left: 44, top: 14, right: width.value - 8, bottom: height - 42 };
  const layout = layOutRoofline(kernels.value, ceilings, { area, fontSize });
  return html`<figure class="roofline" ref=${host}>
    <figcaption><${Term} name="roofline">Roofline</${Term}> <${Families} /></figcaption>
    <svg width=${width.value} height=${height} role="group" aria-label="Kernels by operations a byte and operations a second">
      <${Axes} layout=${layout} area=${area} />
      <${Roofs} layout=${layout} area=${area} />
      ${layout.kernels.map((placed, index) => html`<${Mark} key=${placed.kernel.name} placed=${placed} ceilings=${ceilings} isFirst=${index === 0} />`)}
      ${layout.kernels.map(({ label, kernel: { name } }) => label && html`<text class=${name === kernel.value?.name ? 'label chosen' : 'label'} x=${label.x} y=${label.y} text-anchor=${label.anchor}>${label.text}</text>`)}
    </svg>
    <p class="note">A circle’s area is its share of the time; a triangle points to a kernel beyond the edge.
      ${layout.withoutPlace > 0 ? ` Kernels that compute nothing, ${percent(layout.withoutPlace)} of the time, have no place here.` : ''}</p>
  </figure>`;
}

/** The families there are, with their share of the time. */
function Families() {
  const times = familyTimes(kernels.value).filter(([, ms]) => ms > 0);
  return html`<span class="families">${times.map(
    ([family, ms]) => html`<span>
      <i class="key" style=${{ background: colourOf(family) }} />${familyStyles[family].name} <em>${percent(ms / gpuMs.value, 0)}</em>
    </span>`,
  )}</span>`;
}

interface PartProps {
  readonly layout: RooflineLayout;
  readonly area: Box;
}

function Axes({ layout: { x, y }, area }: PartProps) {
  const { left, right, top, bottom } = area;
  return html`
    ${x.map(({ at, text }) => html`<line class="grid" x1=${at} x2=${at} y1=${top} y2=${bottom} /><text class="tick" x=${at} y=${bottom + 16} text-anchor="middle">${text}</text>`)}
    ${y.map(({ at, text }) => html`<line class="grid" x1=${left} x2=${right} y1=${at} y2=${at} /><text class="tick" x=${left - 6} y=${at + 4} text-anchor="end">${text}</text>`)}
    <text class="tick" x=${(left + right) / 2} y=${bottom + 34} text-anchor="middle">operations for each byte moved</text>
    <text class="tick" x="2" y=${top - 3}>GFLOP/s</text>
  `;
}

function Roofs({ layout: { roofs, slope }, area }: PartProps) {
  return html`
    <clipPath id="plot"><rect x=${area.left} y=${area.top} width=${area.right - area.left} height=${area.bottom - area.top} /></clipPath>
    ${roofs.map((roof) => {
      const { x, y } = roofTextAt(roof);
      return html`<polyline class=${roof.isHalf ? 'roof half' : 'roof'} points=${roof.points.map((point) => `${point.x},${point.y}`).join(' ')} clip-path="url(#plot)" />
        <text class="label" x=${x} y=${y} text-anchor="end">${roof.text}</text>`;
    })}
    ${slope && html`<text class="label" text-anchor="middle" transform=${`translate(${slope.at.x} ${slope.at.y}) rotate(${slope.angle}) translate(0 -7)`}>${slope.text}</text>`}
  `;
}

interface MarkProps {
  readonly placed: PlacedKernel;
  readonly ceilings: Ceilings;
  /** Whether the keyboard comes here first. */
  readonly isFirst: boolean;
}

function Mark({ placed, ceilings, isFirst }: MarkProps) {
  const { kernel: own, x, y, radius, beyond } = placed;
  const element = useRef<SVGGElement>(null);
  const isChosen = kernel.value?.name === own.name;
  useEffect(() => {
    // The focus goes along where it is in the picture already.
    if (isChosen && element.current?.parentNode?.contains(document.activeElement)) element.current.focus();
  }, [isChosen]);
  const words = kernelWords(own, gpuMs.value, ceilings);
  const colour = familyColour(own.op);
  const tip = () => html`<b>${line(own.name, 120)}</b>${words.map((sentence) => html`<br />${sentence}`)}`;
  return html`<g ref=${element} class=${isChosen ? 'mark chosen' : 'mark'} role="button" data-kernel=${own.name} fill=${colour} stroke=${colour}
    tabindex=${isChosen || (isFirst && !kernel.value) ? 0 : -1} aria-pressed=${isChosen} aria-label=${`${own.name}: ${words.join(' ')}`}
    onClick=${() => chooseKernel(own.name)} onKeyDown=${(event: KeyboardEvent) => event.key === 'Enter' && chooseKernel(own.name)} ...${withTip(tip)}>
    ${
      beyond === null
        ? html`<circle cx=${x} cy=${y} r=${radius} /><circle class="reach" cx=${x} cy=${y} r=${radius + reach} />`
        : html`<path d="M 0 0 L -10 -6 L -10 6 Z" transform=${`translate(${x} ${y}) rotate(${beyond})`} />`
    }
  </g>`;
}
