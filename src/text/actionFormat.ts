/**
 * From the policy's reply to an action. A `plain` reply is the action itself. A `think-action` reply has a thought
 * between think tags and its action between action tags. An action on offer is recognised as it stands, or else
 * whatever the case of its letters and the white space around it, and is then handed on as it is offered.
 *
 * Where verl-agent has a rule of its own (household and shopping tasks), `think-action` replies are read by that, to
 * the letter, so that results compare.
 *
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

/** Characters of a reply without action tags that are taken as the action, where verl-agent has no rule. */
const usualTailLength = 30;

/** Python's white space, which `strip` removes; JavaScript's `trim` differs at the control characters and at U+FEFF. */
const pythonSpace = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+';
const outerSpace = new RegExp(`^${pythonSpace}|${pythonSpace}$`, 'g');

/**
 * The action on offer that a text means. The one that is equal to it, or else the first that differs in outer white
 * space alone, or else the first that differs in that and in the case of its letters. Null if there is none.
 */
export function matchAction(text: string, admissibleActions: readonly string[] | null): string | null {
  if (admissibleActions === null) return null;
  if (admissibleActions.includes(text)) return text;
  const bare = text.trim();
  const folded = bare.toLowerCase();
  return (
    admissibleActions.find((action) => action.trim() === bare) ??
    admissibleActions.find((action) => action.trim().toLowerCase() === folded) ??
    null
  );
}

/**
 * A plain reply: the action on offer that it means, or else the text without outer white space. Valid if it means one,
 * or, where there is no list, is not empty.
 */
export function parsePlainAction(reply: string, admissibleActions: readonly string[] | null): ParsedAction {
  const offered = matchAction(reply, admissibleActions);
  const action = offered ?? reply.trim();
  return { action, valid: admissibleActions === null ? action !== '' : offered !== null };
}

/**
 * A think-action reply: what stands between the first `<action>` and the `</action>` after it, as the action on offer
 * that it means, or else without outer white space. Without both tags it is the end of the reply, and invalid. Also
 * invalid is a reply without `<think>` or `</think>`, or with an empty action. Whether the action is on offer does not
 * matter.
 */
export function parseThinkAction(reply: string, admissibleActions: readonly string[] | null): ParsedAction {
  const tagged = /<action>(.*?)<\/action>/is.exec(reply)?.[1];
  const text = tagged ?? lastCharacters(reply, usualTailLength);
  const action = matchAction(text, admissibleActions) ?? text.trim();
  return { action, valid: tagged !== undefined && action !== '' && /<think>/i.test(reply) && /<\/think>/i.test(reply) };
}

/**
 * A think-action reply by verl-agent's rule: the lower-cased text between the first `<action>` and the first
 * `</action>`, without outer white space. Without both tags the action is the last `tailLength` characters of the
 * lower-cased reply, and invalid. Also invalid is a reply without `<think>` or `</think>`, or with a character from
 * U+4E00 to U+9FFF. Whether the action is admissible does not matter.
 */
export function parseVerlAction(reply: string, tailLength: number): ParsedAction {
  const lower = reply.toLowerCase();
  const start = lower.indexOf('<action>');
  const end = lower.indexOf('</action>');
  if (start < 0 || end < 0) return { action: lastCharacters(lower, tailLength), valid: false };
  const action = lower.slice(start + '<action>'.length, end).replace(outerSpace, '');
  const valid = reply.includes('<think>') && reply.includes('</think>') && !/[\u4e00-\u9fff]/.test(reply);
  return { action, valid };
}

/**
 * Reads a reply in either format.
 * @param verlTailLength given where verl-agent's rule holds for `think-action` replies, as its `tailLength`
 */
export function parseReply(
  format: ActionFormat,
  reply: string,
  admissibleActions: readonly string[] | null,
  verlTailLength?: number,
): ParsedAction {
  if (format === 'plain') return parsePlainAction(reply, admissibleActions);
  return verlTailLength === undefined
    ? parseThinkAction(reply, admissibleActions)
    : parseVerlAction(reply, verlTailLength);
}

/** The last characters of a text, counted in code points. */
function lastCharacters(text: string, count: number): string {
  // Two code units a character at most, so the rest of a long reply need not be split; an extra half in front is cut
  // off again.
  const characters = Array.from(text.slice(Math.max(0, text.length - 2 * count)));
  return characters.slice(Math.max(0, characters.length - count)).join('');
}
