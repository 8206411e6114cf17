/** The time as names of new folders have it, in UTC, as `20260102-030405`. */
export function timestamp(): string {
  return new Date().toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-');
}
