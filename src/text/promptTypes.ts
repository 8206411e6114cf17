/** What goes into a prompt and what comes out of it. */

/** A past turn: what was seen, and the action that was taken on it. */
export interface PastTurn {
  readonly observation: string;
  readonly action: string;
  /** Actions that were on offer; null or absent where that is not known. */
  readonly offered?: readonly string[] | null;
}

/** One turn, as the policy is asked to act on it. */
export interface PromptInput {
  /** The task in words. */
  readonly instruction: string;
  /** Past turns, oldest first, up to the one just before this; more than the prompt shows is allowed. */
  readonly history: readonly PastTurn[];
  /** Steps taken before this turn; 0 on the first. */
  readonly step: number;
  readonly observation: string;
  /** Actions on offer, or null where the environment does not say. */
  readonly admissibleActions: readonly string[] | null;
  /** All actions on offer where the prompt lists only some; by default `admissibleActions`. */
  readonly offered?: readonly string[] | null;
}

/** What an environment decides about the `think-action` format. */
export interface ThinkActionStyle {
  /** The user message of a turn. */
  message(input: PromptInput): string;
  /**
   * The user message of a later turn of a transcript, in which the earlier ones stand; a general form where it is
   * absent.
   */
  followUp?(input: PromptInput): string;
  /** Texts of the message that only some turns show. */
  readonly rareTexts?: readonly string[];
  /**
   * Set where replies are read by verl-agent's rule for this environment (`actionFormat.ts`): characters at the end of
   * a reply without action tags that it takes as the action.
   */
  readonly verlTailLength?: number;
}

/** What was left out of a prompt. */
export interface PromptDrops {
  /** Past turns. */
  readonly history: number;
  /** Characters (UTF-16 code units) at the end of the current observation. */
  readonly observation: number;
  /** Actions at the end of the list on offer. */
  readonly actions: number;
}

export interface Prompt {
  /** Token ids, ready for the policy to write its reply after. */
  readonly ids: number[];
  /** Something had to go to keep to `maxTokens`; worth counting as a metric. */
  readonly truncated: boolean;
  readonly dropped: PromptDrops;
}
