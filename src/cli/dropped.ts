/** How commands tell of tasks that an evaluation had to leave out. */

/** What stands behind an evaluation's figures where tasks were left out; else nothing. */
export function droppedNote({ dropped }: { readonly dropped: number }): string {
  if (dropped === 0) return '';
  return `; ${dropped} more ${dropped === 1 ? 'task was' : 'tasks were'} left out because the environment failed every time, and the interval counts ${dropped === 1 ? 'it' : 'them'} either way`;
}
