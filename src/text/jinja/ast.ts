/** What a template consists of, once it is parsed. */
import type { Value } from './values.ts';

export type Expression =
  | { readonly kind: 'constant'; readonly value: Value }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'list' | 'tuple' | 'concat'; readonly items: readonly Expression[] }
  | { readonly kind: 'dict'; readonly entries: readonly (readonly [Expression, Expression])[] }
  | { readonly kind: 'attribute'; readonly of: Expression; readonly name: string }
  | { readonly kind: 'item'; readonly of: Expression; readonly key: Expression }
  | { readonly kind: 'slice'; readonly parts: readonly (Expression | null)[] }
  | { readonly kind: 'call'; readonly of: Expression; readonly args: Arguments }
  /** `of` is null in a filter block, where it stands for the block's text. */
  | { readonly kind: 'filter'; readonly of: Expression | null; readonly name: string; readonly args: Arguments }
  | { readonly kind: 'test'; readonly of: Expression; readonly name: string; readonly args: Arguments }
  | { readonly kind: 'not' | 'negative' | 'positive'; readonly of: Expression }
  | { readonly kind: 'binary'; readonly operator: string; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | {
      readonly kind: 'compare';
      readonly first: Expression;
      readonly rest: readonly { readonly operator: string; readonly value: Expression }[];
    }
  | {
      readonly kind: 'condition';
      readonly test: Expression;
      readonly value: Expression;
      readonly otherwise: Expression | null;
    };

export interface Arguments {
  readonly positional: readonly Expression[];
  readonly named: readonly (readonly [string, Expression])[];
  readonly spread: Expression | null;
  readonly namedSpread: Expression | null;
}

/** What is assigned to: a name, an attribute of a namespace, or several of them. */
export type Target =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'attribute'; readonly namespace: string; readonly name: string }
  | { readonly kind: 'tuple'; readonly items: readonly Target[] };

export interface Parameters {
  readonly names: readonly string[];
  /** Of the last parameters. */
  readonly defaults: readonly Expression[];
}

export type Block = readonly Statement[];

export type Statement =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'output'; readonly value: Expression }
  | { readonly kind: 'if'; readonly test: Expression; readonly body: Block; readonly otherwise: Block }
  | {
      readonly kind: 'for';
      readonly target: Target;
      readonly over: Expression;
      readonly filter: Expression | null;
      readonly isRecursive: boolean;
      readonly body: Block;
      readonly otherwise: Block;
    }
  | { readonly kind: 'set'; readonly target: Target; readonly value: Expression }
  | {
      readonly kind: 'setBlock';
      readonly target: Target;
      readonly filter: Expression | null;
      readonly body: Block;
    }
  | { readonly kind: 'with'; readonly targets: readonly (readonly [Target, Expression])[]; readonly body: Block }
  | { readonly kind: 'macro'; readonly name: string; readonly parameters: Parameters; readonly body: Block }
  | {
      readonly kind: 'call';
      readonly call: Expression & { readonly kind: 'call' };
      readonly parameters: Parameters;
      readonly body: Block;
    }
  | { readonly kind: 'filterBlock'; readonly filter: Expression; readonly body: Block }
  /** The part that the assistant wrote, which only those who train on masks care for. */
  | { readonly kind: 'generation'; readonly body: Block }
  | { readonly kind: 'break' | 'continue' };
