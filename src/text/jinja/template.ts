/**
 * Templates in Jinja, rendered as Jinja2 renders chat templates: in its sandbox, with `trim_blocks`, `lstrip_blocks`,
 * loop controls, and the functions that transformers adds. A part of the language that is not there is refused by its
 * name; nothing is rendered otherwise than there.
 */
import type { Block } from './ast.ts';
import { filters, otherFilters } from './filters.ts';
import { Interpreter } from './interpreter.ts';
import { parse } from './parser.ts';
import { fromJson, UnsupportedError, type Value } from './values.ts';

export class Template {
  readonly #body: Block;

  /** @throws {JinjaError} if it cannot be read, {UnsupportedError} if it needs what is not there */
  constructor(text: string) {
    this.#body = parse(text, {
      // One that Jinja does not know either fails where it is reached.
      filters: (name) => {
        if (otherFilters.has(name) && !Object.hasOwn(filters, name)) throw new UnsupportedError(`the filter "${name}"`);
      },
      tests: () => {},
    });
  }

  /**
   * @param variables JSON's values; undefined ones are left out
   * @param now the time that the template may ask for
   * @throws {JinjaError} if the template fails or raises an exception, {UnsupportedError} as the constructor
   */
  render(variables: Readonly<Record<string, unknown>>, now = () => new Date()): string {
    const values: Record<string, Value> = {};
    for (const [name, value] of Object.entries(variables)) if (value !== undefined) values[name] = fromJson(value);
    return new Interpreter(now).render(this.#body, values);
  }
}
