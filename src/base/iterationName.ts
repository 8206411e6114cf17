/** What is kept of an iteration is called so, in whatever folder of a run: names sort as numbers do. */
export function iterationName(iteration: number): string {
  return String(iteration).padStart(6, '0');
}
