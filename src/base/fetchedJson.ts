/** JSON files of models, which somebody else wrote and which are fetched whole. */
import { ProxmoError } from './errors.ts';
import { refuseLfsPointer } from './lfsPointer.ts';

/** The value of a JSON text. @throws {ProxmoError} `file` if it is not JSON; `where` names it in the message */
export function parseFetchedJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    refuseLfsPointer(text, where);
    throw new ProxmoError('file', `${where} is not JSON; it is damaged, so fetch it again.`, { cause });
  }
}
