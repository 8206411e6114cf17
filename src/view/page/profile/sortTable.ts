/** A table whose headings sort it. How it is sorted stands in the address. */
import { go, parameter } from '../route.ts';
import { glossary, type Term as Name } from '../ui/glossary.ts';
import { type Children, html } from '../ui/html.ts';
import { withTip } from '../ui/tip.ts';

export interface Column<R> {
  readonly name: string;
  readonly title: string;
  readonly term: Name;
  /** What it is sorted by; texts rise, figures fall. Null comes last. */
  readonly of: (row: R) => number | string | null;
  readonly show: (row: R) => Children;
}

interface SortTableProps<R> {
  /** Parameter of the address that says how it is sorted. */
  readonly parameter: string;
  readonly caption: string;
  readonly columns: readonly Column<R>[];
  /** In the order that they have where nothing is sorted. */
  readonly rows: readonly R[];
  readonly nameOf: (row: R) => string;
  readonly chosen: string | null;
  readonly onChoose: (name: string) => void;
}

interface Order {
  readonly column: string;
  readonly isRising: boolean;
}

function orderOf<R>(name: string, columns: readonly Column<R>[]): Order | null {
  const [column = '', way] = (parameter(name) ?? '').split('.');
  return columns.some((each) => each.name === column) ? { column, isRising: way === 'up' } : null;
}

/** Rows as a table of that parameter shows them. */
export function sorted<R>(rows: readonly R[], columns: readonly Column<R>[], name: string): readonly R[] {
  const order = orderOf(name, columns);
  if (!order) return rows;
  const { of } = columns.find((each) => each.name === order.column)!;
  return rows.toSorted((a, b) => compare(of(a), of(b), order.isRising));
}

function compare(a: number | string | null, b: number | string | null, isRising: boolean): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  const rising = typeof a === 'number' && typeof b === 'number' ? a - b : String(a) < String(b) ? -1 : 1;
  return isRising ? rising : -rising;
}

export function SortTable<R>(props: SortTableProps<R>) {
  const { parameter: name, caption, columns, rows, nameOf, chosen, onChoose } = props;
  const order = orderOf(name, columns);
  return html`<div class="wide"><table class="figures sortable">
    <caption>${caption}</caption>
    <thead><tr>${columns.map((column) => html`<${Heading} key=${column.name} ...${{ column, order, name, isText: isText(column, rows) }} />`)}</tr></thead>
    <tbody>${sorted(rows, columns, name).map((row) => {
      const own = nameOf(row);
      const [first, ...rest] = columns;
      return html`<tr key=${own} class=${own === chosen ? 'chosen' : ''} onClick=${() => onChoose(own)}>
        <th scope="row"><button type="button" aria-pressed=${own === chosen} onClick=${(event: Event) => {
          event.stopPropagation();
          onChoose(own);
        }}>${first!.show(row)}</button></th>
        ${rest.map((column) => html`<td>${column.show(row)}</td>`)}
      </tr>`;
    })}</tbody>
  </table></div>`;
}

function isText<R>({ of }: Column<R>, rows: readonly R[]): boolean {
  return rows.some((row) => typeof of(row) === 'string');
}

interface HeadingProps {
  readonly column: Column<never>;
  readonly order: Order | null;
  readonly name: string;
  readonly isText: boolean;
}

function Heading({ column: { name: own, title, term }, order, name, isText: text }: HeadingProps) {
  const isSorted = order?.column === own;
  const turn = () => {
    const isRising = isSorted ? !order.isRising : text;
    go({ [name]: `${own}.${isRising ? 'up' : 'down'}` }, undefined, false);
  };
  return html`<th scope="col" aria-sort=${isSorted ? (order.isRising ? 'ascending' : 'descending') : 'none'}>
    <button type="button" onClick=${turn} ...${withTip(() => glossary[term])}>${title}<i class="way" aria-hidden="true">${isSorted ? (order.isRising ? '↑' : '↓') : ''}</i></button>
  </th>`;
}
