/**
 * Binds replies to the actions on offer. A plain reply is one of them and the end token. A think-action reply thinks
 * freely; once it has opened its action with `<action>`, it goes on with one of them, `</action>` and the end token.
 */
import type { Constraint } from '../nn/constraint.ts';
import type { ActionFormat } from '../text/actionFormat.ts';
import type { StreamingTokenizer } from '../text/tokenizer.ts';
import { TokenTrie } from '../text/tokenTrie.ts';
import type { Writing } from '../text/writing.ts';

const opening = '<action>';
/** In any case, as replies are read. Not by lower-casing the text, which may change its length. */
const openingPattern = new RegExp(opening, 'i');
const closing = '</action>';

/** Actions repeat from turn to turn; so many are remembered as tokens. */
const rememberedTexts = 1 << 14;

/**
 * Makes the constraints of a policy's replies.
 * @example
 * const constraint = new ActionConstraints(tokenizer, 'plain').of(['go left', 'go right']);
 */
export class ActionConstraints {
  private readonly known = new Map<string, readonly number[]>();

  constructor(
    private readonly tokenizer: StreamingTokenizer,
    private readonly format: ActionFormat,
    /** How plain replies are written; as the actions' texts by default. */
    private readonly writing?: Pick<Writing, 'action'>,
  ) {}

  /** The constraint of one reply; none where the environment does not say what can be done. */
  of(actions: readonly string[] | null): Constraint | undefined {
    if (!actions || actions.length === 0) return undefined;
    if (this.format !== 'plain') return { start: null, next: this.afterOpening(actions) };
    const { writing, tokenizer } = this;
    if (!writing) return { start: this.trieOf(actions) };
    const written = actions.map((action) => [...writing.action(action, actions), tokenizer.endId]);
    return { start: TokenTrie.fromSequences(written) };
  }

  /**
   * Watches a reply until it has opened its action. If a token goes on past the opening with what begins no action, the
   * reply stays free.
   */
  private afterOpening(actions: readonly string[]): (token: number) => TokenTrie | null {
    const stream = this.tokenizer.streamDecoder();
    let text = '';
    let isOpen = false;
    return (token) => {
      if (isOpen) return null;
      text += stream.push([token]);
      const at = text.search(openingPattern);
      if (at < 0) {
        text = text.slice(-opening.length);
        return null;
      }
      isOpen = true;
      const begun = text.slice(at + opening.length);
      const rests = actions.flatMap((action) => restOf(action, begun) ?? []);
      return rests.length === 0 ? null : this.trieOf(rests.map((rest) => rest + closing));
    };
  }

  private trieOf(texts: readonly string[]): TokenTrie {
    return TokenTrie.fromSequences(texts.map((text) => this.tokensOf(text)));
  }

  private tokensOf(text: string): readonly number[] {
    const known = this.known.get(text);
    if (known) return known;
    const tokens = [...this.tokenizer.encode(text), this.tokenizer.endId];
    if (this.known.size >= rememberedTexts) this.known.clear();
    this.known.set(text, tokens);
    return tokens;
  }
}

/**
 * What is still to be written of an action after its beginning, which may differ in the case of its letters and the
 * white space before it; null if this is no beginning of it.
 */
function restOf(action: string, begun: string): string | null {
  for (const [whole, part] of [
    [action, begun],
    [action.trimStart(), begun.trimStart()],
  ] as const) {
    if (whole.slice(0, part.length).toLowerCase() === part.toLowerCase()) return whole.slice(part.length);
  }
  return null;
}
