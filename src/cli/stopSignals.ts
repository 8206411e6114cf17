/** Signals that ask to stop: of the keyboard, of other programs, of a terminal that is closed, of Ctrl-Break. */
export const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK'] as const;

/** One key press reaches a process more than once where npm and `npm start` pass it on. In milliseconds. */
const samePress = 1000;

/**
 * Listens until the process ends: a signal of the same key press may come when the work has ended, before the process
 * has.
 * @param stop called once, by the first signal
 * @param stopNow called by a second key press
 */
export function onStopSignals(stop: () => void, stopNow: () => void): void {
  let askedAt: number | null = null;
  const onSignal = (signal: NodeJS.Signals) => {
    if (askedAt === null) {
      askedAt = performance.now();
      stop();
      return;
    }
    const isKey = signal === 'SIGINT' || signal === 'SIGBREAK';
    if (isKey && performance.now() - askedAt > samePress) stopNow();
  };
  for (const signal of stopSignals) process.on(signal, onSignal);
}
