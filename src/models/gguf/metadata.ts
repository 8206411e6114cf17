/** The metadata of a GGUF file: values by key, asked for by the kind they must be of. */
import { ProxmoError } from '../../base/errors.ts';

export class GgufMetadata {
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #where: string;

  /** @param where name of the file, for messages */
  constructor(values: ReadonlyMap<string, unknown>, where: string) {
    this.#values = values;
    this.#where = where;
  }

  keys(): readonly string[] {
    return [...this.#values.keys()];
  }

  /** A value as it stands in the file; undefined where there is none. */
  value(key: string): unknown {
    return this.#values.get(key);
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  /**
   * A number; integers of 8 bytes must be exact.
   * @param otherwise what a missing key stands for; without it, the key must be there
   * @throws {ProxmoError} `file` if it is missing, or of another kind.
   */
  number(key: string, otherwise?: number): number {
    const value = this.#values.get(key) ?? otherwise;
    const number = typeof value === 'bigint' ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isFinite(number) || Math.abs(number) > Number.MAX_SAFE_INTEGER) {
      throw this.#wrong(key, 'a number');
    }
    return number;
  }

  /** A whole number, 1 or more. @throws {ProxmoError} as `number`. */
  count(key: string, otherwise?: number): number {
    const value = this.number(key, otherwise);
    if (!Number.isInteger(value) || value < 1) throw this.#wrong(key, 'a whole number, 1 or more');
    return value;
  }

  /** @throws {ProxmoError} as `number`. */
  text(key: string, otherwise?: string): string {
    const value = this.#values.get(key) ?? otherwise;
    if (typeof value !== 'string') throw this.#wrong(key, 'a text');
    return value;
  }

  /** @throws {ProxmoError} as `number`. */
  flag(key: string, otherwise?: boolean): boolean {
    const value = this.#values.get(key) ?? otherwise;
    if (typeof value !== 'boolean') throw this.#wrong(key, 'true or false');
    return value;
  }

  /** @throws {ProxmoError} as `number`. */
  texts(key: string): readonly string[] {
    const value = this.#values.get(key);
    if (!Array.isArray(value) || !value.every((item) => typeof item === 'string'))
      throw this.#wrong(key, 'a list of texts');
    return value;
  }

  /** @throws {ProxmoError} as `number`. */
  numbers(key: string): readonly number[] {
    const value = this.#values.get(key);
    if (!Array.isArray(value) || !value.every((item) => typeof item === 'number'))
      throw this.#wrong(key, 'a list of numbers');
    return value;
  }

  #wrong(key: string, kind: string): ProxmoError {
    const what = this.has(key) ? `has the metadata \`${key}\`, but it is not ${kind}` : `has no metadata \`${key}\``;
    return new ProxmoError('file', `${this.#where} ${what}; convert the model again.`);
  }
}
