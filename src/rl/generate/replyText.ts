/** A reply as text while it grows: whole characters, without its end token, up to the first stop string. */
import type { StopResult } from '../../text/stopStrings.ts';
import { StopStrings } from '../../text/stopStrings.ts';
import type { StreamDecoder } from '../../text/streamDecoder.ts';
import type { StreamingTokenizer } from '../../text/tokenizer.ts';

/** Why a reply is over: the model ended it, a stop string came, or it was as long as allowed. */
export type FinishReason = 'end' | 'stop' | 'length';

export class ReplyText {
  private readonly stream: StreamDecoder;
  private readonly stops: StopStrings;
  private written = '';
  private reason: FinishReason = 'length';

  /** @param onText told of each piece of text, in order */
  constructor(
    tokenizer: StreamingTokenizer,
    private readonly endTokens: readonly number[],
    stopStrings: readonly string[],
    private readonly onText: (piece: string) => void,
  ) {
    this.stream = tokenizer.streamDecoder();
    this.stops = new StopStrings(stopStrings);
  }

  get text(): string {
    return this.written;
  }

  get finishReason(): FinishReason {
    return this.reason;
  }

  /** Takes the next tokens. @returns whether a stop string ended the reply */
  push(tokens: readonly number[]): boolean {
    const hasEnd = this.endTokens.includes(tokens.at(-1) ?? -1);
    if (hasEnd) this.reason = 'end';
    return this.take(this.stops.push(this.stream.push(hasEnd ? tokens.slice(0, -1) : tokens)));
  }

  /** Gives what was held back. */
  finish(): void {
    if (this.reason === 'stop' || this.take(this.stops.push(this.stream.flush()))) return;
    this.write(this.stops.flush());
  }

  private take({ text, stop }: StopResult): boolean {
    this.write(text);
    if (stop !== null) this.reason = 'stop';
    return stop !== null;
  }

  private write(piece: string): void {
    if (piece === '') return;
    this.written += piece;
    this.onText(piece);
  }
}
