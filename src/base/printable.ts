/**
 * Text from outside, made safe to show. What a model, an environment or a file says may hold control characters, which
 * a terminal takes as commands: to clear the screen, set the clipboard, hide or turn round what follows.
 */

/** Control characters (C0, DEL, C1) but line feed and tab, and those that change the direction of what follows. */
const unsafe = /(?![\n\t])\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu;

/**
 * A text with its unsafe characters spelled out, as `\u001b`; a CR LF is a line feed. The spelling is JSON's own, so a
 * JSON text means the same afterwards.
 */
export function printable(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(unsafe, spelled);
}

/** As `printable`, on one line: line feeds and tabs are spelled out, too. */
export function printableLine(text: string): string {
  return printable(text).replaceAll('\n', '\\n').replaceAll('\t', '\\t');
}

function spelled(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
