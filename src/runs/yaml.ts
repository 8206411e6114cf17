/** Reading YAML so that every mistake in it ends in one sentence with its line. */
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  stringify,
  visit,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import { type ErrorCode, ProxmoError } from '../base/errors.ts';

export interface Yaml {
  readonly value: unknown;
  /** Line, from 1, of a key or of an item of a list; null where the text has none there. */
  lineOf(keys: readonly PropertyKey[]): number | null;
}

/** The key under which a map names others whose keys it takes over. */
const mergeKey = '<<';

/** What is wrong, and where it begins in the text. */
interface Mistake {
  readonly at: number;
  readonly reason: string;
  readonly cause?: unknown;
}

/** @throws {ProxmoError} of the code given if the text is not YAML; `where` names it in the message. */
export function parseYaml(text: string, where: string, code: ErrorCode): Yaml {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: true, logLevel: 'error' });
  const lineAt = (offset: number) => lines.linePos(offset).line;
  const mistake = mistakeIn(document);
  if (mistake) {
    // A value of the command line is a line by itself.
    const place = text.includes('\n') ? `${where} line ${lineAt(mistake.at)}` : where;
    throw new ProxmoError(code, `${place} is not valid YAML (${mistake.reason}); correct it.`, mistake);
  }
  try {
    return {
      value: document.toJS(),
      lineOf: (keys) => {
        const at = startOf(document, keys);
        return at === null ? null : lineAt(at);
      },
    };
  } catch (cause) {
    const { message } = cause as Error;
    const problem = message.startsWith('Excessive alias count')
      ? 'refers to itself too often to be read; write its values out.'
      : `is not valid YAML (${message}); correct it.`;
    throw new ProxmoError(code, `${where} ${problem}`, { cause });
  }
}

function mistakeIn(document: Document.Parsed): Mistake | null {
  // What the library only warns of would give another value than the text says.
  const problem = document.errors.find(({ code }) => code === 'MULTILINE_IMPLICIT_KEY') ?? document.errors[0];
  const error = problem ?? document.warnings[0];
  return error ? mistakeOf(error, document) : unreadableIn(document);
}

function mistakeOf(error: YAMLError, document: Document.Parsed): Mistake {
  const [start, end] = error.pos;
  const [reason = ''] = error.message.split(/ at line |\n/);
  switch (error.code) {
    case 'MULTIPLE_DOCS':
      return { at: start, reason: 'another document begins here; keep one', cause: error };
    case 'MULTILINE_IMPLICIT_KEY':
      return { at: end - 1, reason: 'the indentation makes it a part of the value before', cause: error };
    case 'MISSING_CHAR':
    case 'BAD_INDENT': {
      const open = openedBefore(start, document);
      return open === null
        ? { at: start, reason, cause: error }
        : { at: open, reason: 'what begins here is not closed', cause: error };
    }
    default:
      return { at: start, reason, cause: error };
  }
}

/** Where the last bracket or quote before an offset begins that is not closed before it; null if there is none. */
function openedBefore(offset: number, document: Document.Parsed): number | null {
  let open: number | null = null;
  visit(document, {
    Node: (_, node) => {
      const isBracketed = isCollection(node) ? node.flow === true : isScalar(node) && /^QUOTE/.test(node.type ?? '');
      const [start, end] = node.range ?? [0, 0];
      if (isBracketed && start < offset && end >= offset) open = start;
    },
  });
  return open;
}

/** What is YAML, but has no meaning as settings. */
function unreadableIn(document: Document.Parsed): Mistake | null {
  let mistake: Mistake | null = null;
  visit(document, {
    Alias: (_, node) => {
      if (node.resolve(document)) return undefined;
      mistake = { at: node.range?.[0] ?? 0, reason: `there is no anchor &${node.source} before` };
      return visit.BREAK;
    },
    Pair: (_, { key }) => {
      if (!isCollection(key)) return undefined;
      mistake = { at: (key as Node).range?.[0] ?? 0, reason: 'a key is a list or a group' };
      return visit.BREAK;
    },
  });
  return mistake;
}

/** Where in the text the key stands, or the item of a list, that some keys lead to. */
function startOf(document: Document.Parsed, keys: readonly PropertyKey[]): number | null {
  let start: number | null = null;
  let node: unknown = document.contents;
  for (const key of keys) {
    const inner = resolved(node, document);
    const entry = isMap(inner)
      ? pairOf(inner, String(key), document)
      : isSeq(inner)
        ? inner.items[Number(key)]
        : undefined;
    const named = isPair(entry) ? entry.key : entry;
    start = (named as Node | null | undefined)?.range?.[0] ?? null;
    if (start === null) return null;
    node = isPair(entry) ? entry.value : entry;
  }
  return start;
}

/** The pair of a key in a map, or in those that are merged into it. */
function pairOf(map: YAMLMap, key: string, document: Document.Parsed): unknown {
  const own = map.items.find((pair) => nameOf(pair.key) === key);
  if (own) return own;
  const merged = resolved(map.items.find((pair) => nameOf(pair.key) === mergeKey)?.value, document);
  const sources = isSeq(merged) ? merged.items.map((item) => resolved(item, document)) : [merged];
  for (const source of sources) {
    const pair = isMap(source) ? pairOf(source, key, document) : undefined;
    if (pair) return pair;
  }
  return undefined;
}

function nameOf(key: unknown): unknown {
  const value = isScalar(key) ? key.value : undefined;
  return typeof value === 'symbol' ? value.description : String(value);
}

function resolved(node: unknown, document: Document.Parsed): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}

/**
 * The text of a configuration file.
 * @param schema name of a JSON Schema file in the same folder, by which editors check and explain it; null for none
 */
export function configYaml(config: Readonly<Record<string, unknown>>, schema: string | null): string {
  return `${schema === null ? '' : `# yaml-language-server: $schema=./${schema}\n`}${stringify(config)}`;
}

/** A value to put under some keys. */
export interface YamlEdit {
  readonly keys: readonly string[];
  /** Undefined takes the keys away. */
  readonly value: unknown;
}

/** YAML text with other values under some keys, and the rest of it, comments too, as it was. */
export function editYaml(text: string, edits: readonly YamlEdit[]): string {
  const document = parseDocument(text);
  for (const { keys, value } of edits) {
    if (value === undefined) document.deleteIn(keys);
    else document.setIn(keys, value);
  }
  return document.toString();
}
