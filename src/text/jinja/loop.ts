/** `loop`: what a loop's body knows about where it is. */
import { Callable, isEqual, JinjaError, Tuple, Undefined, type Value } from './values.ts';

export class Loop {
  readonly value: Callable;
  #index = -1;
  #lastChanged: Tuple | null = null;

  /**
   * @param depth of nested calls of a recursive loop, from 0
   * @param recurse renders the loop over other items; null where it is not recursive
   */
  constructor(
    private readonly items: readonly Value[],
    private readonly depth: number,
    recurse: ((items: Value) => string) | null,
  ) {
    this.value = new Callable(
      'loop',
      ([inner]) => {
        if (!recurse) throw new JinjaError("The loop must have the 'recursive' marker to be called recursively.");
        if (inner === undefined) throw new JinjaError('a loop is called with what to go through');
        return recurse(inner);
      },
      (name) => this.#attribute(name),
    );
  }

  advance(): void {
    this.#index++;
  }

  #attribute(name: string): Value | undefined {
    const [index, length] = [this.#index, this.items.length];
    switch (name) {
      case 'index':
        return index + 1;
      case 'index0':
        return index;
      case 'revindex':
        return length - index;
      case 'revindex0':
        return length - index - 1;
      case 'first':
        return index === 0;
      case 'last':
        return index === length - 1;
      case 'length':
        return length;
      case 'depth':
        return this.depth + 1;
      case 'depth0':
        return this.depth;
      case 'previtem':
        return index === 0 ? new Undefined('there is no previous item') : this.items[index - 1];
      case 'nextitem':
        return index === length - 1 ? new Undefined('there is no next item') : this.items[index + 1];
      case 'cycle':
        return new Callable(name, (args) => {
          if (args.length === 0) throw new JinjaError('no items for cycling given');
          return args[index % args.length] as Value;
        });
      case 'changed':
        return new Callable(name, (args) => this.#changed(new Tuple(args)));
    }
    return undefined;
  }

  #changed(values: Tuple): boolean {
    const isChanged = !this.#lastChanged || !isEqual(this.#lastChanged, values);
    this.#lastChanged = values;
    return isChanged;
  }
}
