/** What `proxmo why` and `proxmo play` say of an action beside its text. */
import { matchAction } from '../text/actionFormat.ts';

/** A turn, as far as marks go. */
export interface ActedTurn {
  readonly action: string;
  readonly valid: boolean;
  /** Those on offer; null where the environment does not say. */
  readonly actions: readonly string[] | null;
}

const meanings = {
  malformed: 'the reply lacks the form that prompt.format asks for, which costs advantages.invalidPenalty in training',
  'not on offer': 'the environment did not list this action, and decides what comes of it',
} as const;

type Mark = keyof typeof meanings;

function marksOf({ action, valid, actions }: ActedTurn): Mark[] {
  const isOffered = actions === null || matchAction(action, actions) !== null;
  return [...(valid ? [] : ['malformed' as const]), ...(isOffered ? [] : ['not on offer' as const])];
}

/** The marks of a turn in brackets, to stand behind its action; '' where there is nothing to say. */
export function marked(turn: ActedTurn): string {
  const marks = marksOf(turn);
  return marks.length === 0 ? '' : `  [${marks.join(', ')}]`;
}

/** What the marks of some turns mean, a line each; none where there are no marks. */
export function meaningOfMarks(turns: readonly ActedTurn[]): string[] {
  const marks = new Set(turns.flatMap(marksOf));
  return [...marks].map((mark) => `[${mark}]: ${meanings[mark]}`);
}
