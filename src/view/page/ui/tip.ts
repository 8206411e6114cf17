/** The one tooltip of the page: beside what the pointer or the keyboard is on, and never outside the window. */
import { computePosition, flip, offset, shift } from '@floating-ui/dom';
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { glossary, type Term as Name } from './glossary.ts';
import { type Children, html } from './html.ts';

const tip = signal<{ readonly anchor: Element; readonly content: Children } | null>(null);

export function showTip(anchor: Element, content: Children): void {
  tip.value = { anchor, content };
}

export function hideTip(): void {
  tip.value = null;
}

/** What an element needs to have a tooltip. */
export function withTip(content: () => Children) {
  const show = ({ currentTarget }: Event) => showTip(currentTarget as Element, content());
  return { onPointerEnter: show, onPointerLeave: hideTip, onFocus: show, onBlur: hideTip };
}

/** A word that is explained when it is pointed at. */
export function Term({ name, children }: { readonly name: Name; readonly children?: Children }) {
  return html`<span class="term" tabindex="0" ...${withTip(() => glossary[name])}>${children}</span>`;
}

/** Where tooltips appear; once on the page. */
export function TipLayer() {
  const element = useRef<HTMLDivElement>(null);
  const { value } = tip;
  useEffect(() => {
    const floating = element.current;
    if (!value || !floating) return;
    if (!value.anchor.isConnected) return hideTip();
    computePosition(value.anchor, floating, {
      strategy: 'fixed',
      placement: 'top',
      middleware: [offset(8), flip(), shift({ padding: 8 })],
    }).then(({ x, y }) => {
      floating.style.left = `${Math.round(x)}px`;
      floating.style.top = `${Math.round(y)}px`;
      floating.style.visibility = 'visible';
    });
  }, [value]);
  if (!value) return null;
  return html`<div class="tip" role="tooltip" ref=${element}>${value.content}</div>`;
}
