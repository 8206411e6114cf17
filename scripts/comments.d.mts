export interface CommentProblem {
  readonly line: number;
  readonly text: string;
}
export function commentProblems(text: string): CommentProblem[];
