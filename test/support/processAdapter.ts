/** The adapter of processes that tests start: `watch.ts` has looked which there are. No device is opened here. */
export const fastestAdapter = process.env.PROXMO_TEST_ADAPTERS!.split(',').at(-1)!;
