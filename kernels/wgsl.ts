/**
 * The preprocessor of the shaders: what WGSL has no words for. A directive is a line of its own, indented or not.
 *
 *     //#include "lib/x.wgsl"   puts in the file shaders/lib/x.wgsl, the first time that it is met; then nothing.
 *                               Within a side of a branch that is not chosen it is not met. Not within #each.
 *     //#load "x.wgsl"          the same of a file that is loaded when it is first met: a method that only some adapters
 *                               or shapes take, so that programs are not larger by those that they never run.
 *     //#if NAME                keeps the lines up to #else or #endif if the constant is true, the others if not;
 *     //#if !NAME               the other way round. true, a number other than 0 and a text are true.
 *     //#else                   may be absent
 *     //#endif
 *     //#each c NAME            repeats the lines up to #end, as text, for $c = 0 to the constant's value − 1. For
 *     //#end                    small arrays whose elements must stay in registers: some drivers keep an array that
 *                               a loop indexes in memory. Where the constant is a text, an expression, the lines
 *                               become a loop with $c = c.
 *     $NAME                     becomes the constant's value, as text: types and expressions, which WGSL's own
 *                               constants cannot hold
 *     $c                        becomes the number of the turn, within #each
 *
 * NAME, in capitals, is one of the variant's constants (kernels/spec.ts), and must be; c is one small letter. Blocks
 * nest, and end in the file in which they begin. Comments stay as they are. Lines may end in LF or CRLF; what comes out
 * ends in LF. A line that begins with //# and is none of these is refused, as is all else, with its file and number.
 */

import { errorMessage, ProxmoError } from '../src/base/errors.ts';

/** A file in `shaders/`, and what it includes, by the names that it gives. */
export interface WgslFile {
  readonly name: string;
  readonly text: string;
  readonly includes: Readonly<Record<string, WgslFile>>;
  /** Those that are loaded when they are met. */
  readonly loads?: Readonly<Record<string, Load>>;
}

type Load = () => Promise<WgslFile>;

/**
 * Compile-time constants of a shader. A string value is pasted as WGSL (a type or an expression); a number becomes a
 * `u32`, or `f32` if it has a fraction.
 */
export type Constants = Readonly<Record<string, number | boolean | string>>;

/** A line, or a block of them. `place` is file and line number. */
type Part = { readonly place: string } & (
  | { readonly kind: 'line'; readonly text: string }
  | { readonly kind: 'include'; readonly file: WgslFile }
  | { readonly kind: 'load'; readonly name: string; readonly load: Load }
  | { readonly kind: 'branch'; readonly name: string; readonly yes: readonly Part[]; readonly no: readonly Part[] }
  | { readonly kind: 'repeat'; readonly name: string; readonly turn: string; readonly body: readonly Part[] }
);

/** What `$c` stands for within #each, by letter. */
type Turns = Readonly<Record<string, string>>;

/** Files that were loaded. */
const loaded = new WeakMap<Load, WgslFile>();

/**
 * The text of a file for a variant.
 * @throws {ProxmoError} `parse`: what is wrong with the file, and where; `file` if one cannot be loaded
 */
export async function preprocess(file: WgslFile, constants: Constants): Promise<string> {
  while (true) {
    const preprocessor = new Preprocessor(constants);
    const text = preprocessor.textOf(file).join('\n');
    if (preprocessor.missing.length === 0) return text;
    await Promise.all(preprocessor.missing.map(fetchFile));
  }
}

async function fetchFile({ name, place, load }: Part & { kind: 'load' }): Promise<void> {
  try {
    loaded.set(load, await load());
  } catch (error) {
    throw new ProxmoError('file', `${place}: ${name} cannot be loaded (${errorMessage(error)}); try again.`, {
      cause: error,
    });
  }
}

class Preprocessor {
  readonly #constants: Constants;
  readonly #met = new Set<WgslFile>();
  /** What was met and is to be loaded, without which the text is not whole. */
  readonly missing: (Part & { kind: 'load' })[] = [];

  constructor(constants: Constants) {
    this.#constants = constants;
  }

  textOf(file: WgslFile): readonly string[] {
    if (this.#met.has(file)) return [];
    this.#met.add(file);
    return this.#linesOf(parse(file), {});
  }

  #linesOf(parts: readonly Part[], turns: Turns): readonly string[] {
    return parts.flatMap((part) => this.#linesOfPart(part, turns));
  }

  #linesOfPart(part: Part, turns: Turns): readonly string[] {
    switch (part.kind) {
      case 'line':
        return [this.#withValues(part.text, part.place, turns)];
      case 'include':
      case 'load':
        if (Object.keys(turns).length > 0)
          throw new ProxmoError('parse', `${part.place}: an #${part.kind} cannot stand within #each`);
        return this.#textOfPart(part);
      case 'branch':
        return this.#linesOf(this.#valueOf(part.name, part.place) ? part.yes : part.no, turns);
      case 'repeat':
        return this.#repeated(part, turns);
    }
  }

  #textOfPart(part: Part & { kind: 'include' | 'load' }): readonly string[] {
    const file = part.kind === 'include' ? part.file : loaded.get(part.load);
    if (file) return this.textOf(file);
    if (part.kind === 'load') this.missing.push(part);
    return [];
  }

  #repeated({ name, turn, body, place }: Part & { kind: 'repeat' }, turns: Turns): readonly string[] {
    const count = this.#valueOf(name, place);
    const turnOf = (value: string) => this.#linesOf(body, { ...turns, [turn]: value });
    if (typeof count === 'string')
      return [`for (var ${turn} = 0u; ${turn} < ${count}; ${turn}++) {`, ...turnOf(turn), '}'];
    return Array.from({ length: Number(count) }, (_, value) => turnOf(`${value}`)).flat();
  }

  #withValues(text: string, place: string, turns: Turns): string {
    if (/^\s*\/\//.test(text)) return text;
    return text.replace(/\$([A-Z][A-Z0-9_]*|[a-z])/g, (_, name: string) => {
      if (name >= 'a') {
        const turn = turns[name];
        if (turn === undefined) throw new ProxmoError('parse', `${place}: $${name} stands outside of an #each ${name}`);
        return turn;
      }
      return String(this.#valueOf(name, place));
    });
  }

  #valueOf(name: string, place: string): number | boolean | string {
    const value = this.#constants[name];
    if (value === undefined) throw new ProxmoError('parse', `${place}: the variant does not define ${name}`);
    return value;
  }
}

function parse(file: WgslFile): readonly Part[] {
  const lines = file.text.split(/\r?\n/);
  let next = 0;

  /** The parts up to a directive of `ends`, which is taken too; to the end of the file where there are none. */
  function partsUntil(...ends: string[]): { readonly parts: readonly Part[]; readonly end?: string } {
    const opened = next;
    const parts: Part[] = [];
    while (next < lines.length) {
      const text = lines[next++]!;
      const place = `${file.name}:${next}`;
      const directive = /^\s*\/\/#(.*?)\s*$/.exec(text)?.[1];
      if (directive === undefined) parts.push({ kind: 'line', text, place });
      else if (ends.includes(directive)) return { parts, end: directive };
      else parts.push(blockOf(directive, place));
    }
    if (ends.length > 0) throw new ProxmoError('parse', `${file.name}:${opened}: this block has no #${ends.at(-1)}`);
    return { parts };
  }

  /** What a directive begins. */
  function blockOf(directive: string, place: string): Part {
    const [, kind, name] = /^(include|load) "([^"]+)"$/.exec(directive) ?? [];
    if (name && kind === 'include') return { kind, file: named(name, file.includes, place), place };
    if (name && kind === 'load') return { kind, name, load: named(name, file.loads ?? {}, place), place };
    const [, not, condition] = /^if (!?)([A-Z][A-Z0-9_]*)$/.exec(directive) ?? [];
    if (condition) {
      const first = partsUntil('else', 'endif');
      const second = first.end === 'else' ? partsUntil('endif').parts : [];
      const [yes, no] = not ? [second, first.parts] : [first.parts, second];
      return { kind: 'branch', name: condition, yes, no, place };
    }
    const [, turn, count] = /^each ([a-z]) ([A-Z][A-Z0-9_]*)$/.exec(directive) ?? [];
    if (turn && count) return { kind: 'repeat', name: count, turn, body: partsUntil('end').parts, place };
    throw new ProxmoError('parse', `${place}: what is //#${directive} here? The directives are in kernels/wgsl.ts`);
  }

  return partsUntil().parts;
}

/** A file that a directive names. */
function named<T>(name: string, files: Readonly<Record<string, T>>, place: string): T {
  const found = files[name];
  if (found) return found;
  const names = Object.keys(files).join(', ') || 'none';
  throw new ProxmoError('parse', `${place}: there is no ${name} in shaders/; there are ${names}.`);
}
