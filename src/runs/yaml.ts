/** Reading YAML so that every mistake in it ends in one sentence with its line. */
import { LineCounter, parseDocument } from 'yaml';
import { type ErrorCode, ProxmoError } from '../base/errors.ts';

export interface Yaml {
  readonly value: unknown;
  /** Line, from 1, where the value under some keys starts; null if there is none. */
  lineOf(keys: readonly PropertyKey[]): number | null;
}

/** @throws {ProxmoError} of the code given if the text is not YAML; `where` names it in the message. */
export function parseYaml(text: string, where: string, code: ErrorCode): Yaml {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const problem = document.errors[0];
  if (problem) {
    const [reason] = problem.message.split(/ at line |\n/);
    throw new ProxmoError(
      code,
      `${where} line ${lines.linePos(problem.pos[0]).line} is not valid YAML (${reason}); correct it.`,
      {
        cause: problem,
      },
    );
  }
  const lineOf = (keys: readonly PropertyKey[]) => {
    const node = document.getIn(keys, true);
    if (typeof node !== 'object' || node === null || !('range' in node) || !Array.isArray(node.range)) return null;
    return lines.linePos(node.range[0] as number).line;
  };
  try {
    return { value: document.toJS(), lineOf };
  } catch (cause) {
    throw new ProxmoError(code, `${where} refers to itself too often to be read; write its values out.`, { cause });
  }
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
