/**
 * Keeps special tokens that a message spells out apart from those of its chat template. Before the template runs, each
 * of them in the messages is replaced by a private character that stands in for it; once the template's own tokens have
 * been found in the text, the characters are put back as text. The template may trim, split or join messages as it
 * likes.
 */
import { ProxmoError } from '../../base/errors.ts';

export interface StandIns<T> {
  /** The value with all its texts changed. */
  readonly value: T;
  /** Puts the special tokens back into a text. */
  restore(text: string): string;
}

/**
 * @param value messages, or anything made of texts, lists and objects
 * @param tokens texts to replace
 * @param others a text whose characters must not be taken
 * @throws {ProxmoError} `data` if no private characters are left.
 */
export function standIn<T>(value: T, tokens: readonly string[], others: string): StandIns<T> {
  const taken = new Set((JSON.stringify(value) + others).match(/[\ue000-\uf8ff]/g));
  const free = Array.from({ length: 0xf900 - 0xe000 }, (_, i) => String.fromCharCode(0xe000 + i)).filter(
    (one) => !taken.has(one),
  );
  const characters = new Map<string, string>();
  const characterOf = (token: string) => {
    const character = characters.get(token) ?? free[characters.size];
    if (character === undefined) {
      throw new ProxmoError(
        'data',
        'Chat template: the messages use too many private characters of Unicode; take some out.',
      );
    }
    characters.set(token, character);
    return character;
  };
  const hide = (text: string) =>
    tokens.reduce(
      (result, token) => (result.includes(token) ? result.replaceAll(token, characterOf(token)) : result),
      text,
    );
  return {
    value: mapStrings(value, hide) as T,
    restore: (text) =>
      [...characters].reduceRight((result, [token, character]) => result.replaceAll(character, () => token), text),
  };
}

function mapStrings(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((item) => mapStrings(item, change));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapStrings(item, change)]));
}
