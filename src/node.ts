/** The package's Node entry, `proxmo/node`: opening devices, run folders, and training runs on disk. */
export { type AdapterChoice, openDevice } from './gpu/device.node.ts';
export { loadRun, runConfig, type Summary, type TrainEvent, type TrainRunOptions, trainRun } from './rl/run.node.ts';
export { loadConfig } from './runs/config.ts';
export { openRun, type Run } from './runs/run.ts';
