/**
 * From the policy's reply to an action. `plain` replies are the action itself. `think-action` replies are read by the
 * projection that verl-agent and ProxMO use for household and shopping tasks, rule for rule, so that results compare.
 * Every reply gives some action, and the action is taken even if it is not valid; an invalid one costs the policy a
 * penalty.
 */

export const actionFormats = ['plain', 'think-action'] as const;
export type ActionFormat = (typeof actionFormats)[number];

export interface ParsedAction {
  /** What to hand to the environment. */
  readonly action: string;
  /** The reply was well formed. */
  readonly valid: boolean;
}

/**
 * Characters of a reply without action tags that are taken as the action: 30 in household tasks; shopping tasks use 20.
 */
const defaultTailLength = 30;

/** Python's white space, which `strip` removes; JavaScript's `trim` differs at the control characters and at U+FEFF. */
const pythonSpace = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+';
const outerSpace = new RegExp(`^${pythonSpace}|${pythonSpace}$`, 'g');

/**
 * A plain reply: the text without outer white space. Valid if it is on the list of admissible actions, or, where there
 * is no list, not empty.
 */
export function parsePlainAction(reply: string, admissibleActions: readonly string[] | null): ParsedAction {
  const action = reply.trim();
  return { action, valid: admissibleActions === null ? action !== '' : admissibleActions.includes(action) };
}

/**
 * A think-action reply: the lower-cased text between the first `<action>` and the first `</action>`, without outer
 * white space. Without both tags the action is the last `tailLength` characters of the lower-cased reply, and invalid.
 * Also invalid is a reply without `<think>` or `</think>`, or with a character from U+4E00 to U+9FFF. Whether the
 * action is admissible does not matter.
 */
export function parseThinkAction(reply: string, tailLength: number = defaultTailLength): ParsedAction {
  const lower = reply.toLowerCase();
  const start = lower.indexOf('<action>');
  const end = lower.indexOf('</action>');
  if (start < 0 || end < 0) return { action: lastCharacters(lower, tailLength), valid: false };
  const action = lower.slice(start + '<action>'.length, end).replace(outerSpace, '');
  const valid = reply.includes('<think>') && reply.includes('</think>') && !/[\u4e00-\u9fff]/.test(reply);
  return { action, valid };
}

/** Reads a reply in either format. `tailLength` is for `think-action` alone. */
export function parseReply(
  format: ActionFormat,
  reply: string,
  admissibleActions: readonly string[] | null,
  tailLength?: number,
): ParsedAction {
  return format === 'plain' ? parsePlainAction(reply, admissibleActions) : parseThinkAction(reply, tailLength);
}

/** The last characters of a text, counted in code points. */
function lastCharacters(text: string, count: number): string {
  // Two code units a character at most, so the rest of a long reply need not be split; an extra half in front is cut
  // off again.
  const characters = Array.from(text.slice(Math.max(0, text.length - 2 * count)));
  return characters.slice(Math.max(0, characters.length - count)).join('');
}
