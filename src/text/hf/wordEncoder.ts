/** Ids of a word, which are remembered: text repeats its words. */
import type { Merger } from './merges.ts';

/** Words longer than this are rare and not worth remembering. */
const cachedWordLength = 64;
const cachedWords = 1 << 16;

export interface WordModel {
  /** Ids of all tokens. */
  readonly ids: ReadonlyMap<string, number>;
  /** Ids that no text may become. */
  readonly specialIds: ReadonlySet<number>;
  readonly merger: Merger;
  /** Stands for a character without a token; such a character is left out where there is none. */
  readonly unknownId: number | undefined;
  /** Several unknown characters in a row are one. */
  readonly fusesUnknown: boolean;
  /** A character without a token is spelled in the tokens of its bytes, as `<0xE2>`, where they are there. */
  readonly hasByteFallback: boolean;
  /** A word that is a token is that token, whatever its merges would give. */
  readonly takesWholeWords: boolean;
}

const utf8 = new TextEncoder();

export class WordEncoder {
  readonly #model: WordModel;
  readonly #cache = new Map<string, readonly number[]>();

  constructor(model: WordModel) {
    this.#model = model;
  }

  encode(word: string): readonly number[] {
    const cached = this.#cache.get(word);
    if (cached) return cached;
    const ids = this.#encode(word);
    if (word.length <= cachedWordLength) {
      if (this.#cache.size >= cachedWords) this.#cache.clear();
      this.#cache.set(word, ids);
    }
    return ids;
  }

  #encode(word: string): number[] {
    const { ids, specialIds, merger, takesWholeWords, unknownId, fusesUnknown } = this.#model;
    const whole = takesWholeWords ? this.#idOf(word) : undefined;
    if (whole !== undefined) return [whole];
    const characters = Array.from(word);
    const tokens = Int32Array.from(characters, (character) => ids.get(character) ?? -1);
    const result: number[] = [];
    for (const place of merger.merge(tokens)) {
      const id = tokens[place]!;
      if (id >= 0 && !specialIds.has(id)) result.push(id);
      // Not merged with anything, so it is a character.
      else this.#spell(characters[place]!, result);
    }
    return fusesUnknown ? result.filter((id, at) => id !== unknownId || result[at - 1] !== unknownId) : result;
  }

  /** Id of a text that may be a token. */
  #idOf(text: string): number | undefined {
    const id = this.#model.ids.get(text);
    return id === undefined || this.#model.specialIds.has(id) ? undefined : id;
  }

  /** Puts the ids of a character without a token of its own behind others. */
  #spell(character: string, result: number[]): void {
    const { unknownId, hasByteFallback } = this.#model;
    const bytes = hasByteFallback
      ? Array.from(utf8.encode(character), (byte) =>
          this.#idOf(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
        )
      : [undefined];
    if (!bytes.includes(undefined)) result.push(...(bytes as number[]));
    else if (unknownId !== undefined) result.push(unknownId);
  }
}
