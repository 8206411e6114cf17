/**
 * What tests need that not every machine has. Where it is missing they are skipped, and the end of a run says how many
 * for want of what (`whySkipped.ts`): `describe('a fleet', needs('nats-server', hasNatsServer), …)`.
 */
import 'vitest';

declare module 'vitest' {
  interface TaskMeta {
    needs?: string;
  }
}

/** Options of `describe` or `it`. @param what is needed, as a noun */
export function needs(what: string, isThere: unknown) {
  return { skip: !isThere, meta: { needs: what } };
}
