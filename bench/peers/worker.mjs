/**
 * What the process of a library does: it answers the table's messages, one after another. `prepare` makes a column's
 * case ready and says how far its result is from the reference; `time` gives the milliseconds of some calls. Between
 * messages it sleeps, so that the libraries can take turns.
 */
import { columns, errorOf } from './cases.mjs';

/** A call that takes longer is not preceded by one that warms up: nothing that a call could find cold matters then. */
const longCallMs = 500;

/**
 * @param open makes a column's case: `read()` resolves with the result, or with the losses of the first steps; `run()`
 * ends when the device is done. It throws where the library has no such thing
 * @param adapter asks for the name of the adapter in use
 */
export function serve(open, adapter) {
  const cases = new Map();
  const answers = {
    async prepare({ column }) {
      const wanted = columns.find(({ name }) => name === column);
      const opened = await open(wanted);
      const error = errorOf(wanted, await opened.read());
      const start = performance.now();
      await opened.run();
      cases.set(column, { ...opened, isLong: performance.now() - start > longCallMs });
      return { error, adapter: adapter() };
    },
    async time({ column, milliseconds }) {
      const { run, isLong } = cases.get(column);
      if (!isLong) await run();
      const times = [];
      for (let total = 0; total < milliseconds; total += times.at(-1)) {
        const start = performance.now();
        await run();
        times.push(performance.now() - start);
      }
      return { times };
    },
  };
  process.on('disconnect', () => process.exit(0));
  process.on('message', async (message) => {
    const answer = await answers[message.ask](message).catch((error) => ({ failure: String(error?.message ?? error) }));
    process.send(answer);
  });
  process.send({ ready: true });
}
