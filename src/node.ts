/** The package's Node entry, `proxmo/node`: opening devices, run folders, and training runs on disk. */
export { createAlfworldTaskSet } from './envs/alfworld/index.node.ts';
export { createProcessTaskSet } from './envs/bridge/process.node.ts';
export { createNamedTaskSet } from './envs/registry.node.ts';
export { type AdapterChoice, type OpenDeviceOptions, openDevice } from './gpu/device.node.ts';
export {
  DeviceWorker,
  type WorkerThread,
  type WorkerThreadEvents,
  type WorkerThreadOptions,
} from './gpu/deviceWorker.node.ts';
export { TuningCache } from './gpu/tuningCache.node.ts';
export { GgufFile, openGguf } from './models/gguf/ggufFile.node.ts';
export { HfCheckpoint, readHfModel } from './models/hf/checkpoint.node.ts';
export { saveHfModel } from './models/hf/save.node.ts';
export { AdapterFolder, saveAdapter } from './models/peft.node.ts';
export { digestOfModel, openPretrained, type PretrainedModel } from './models/pretrained.node.ts';
export { readGroupRows, readRolloutIndex } from './rl/credit/recordedRollouts.node.ts';
export { loadOwnModules } from './rl/own/modules.node.ts';
export { checkPlan, planRun } from './rl/planRun.node.ts';
export { openPolicyModel } from './rl/policySource.node.ts';
export { type LoadedRun, loadRun, loadRunModel, streamRun, type TrainRunOptions, trainRun } from './rl/run.node.ts';
export { runConfig } from './rl/runConfig.node.ts';
export type { Summary } from './rl/summary.ts';
export type { TrainEvent } from './rl/trainingRun.node.ts';
export { WarmStarts } from './rl/warmStarts.node.ts';
export { loadConfig } from './runs/config.ts';
export { openRun, type Run } from './runs/run.ts';
export { loadHfTokenizer } from './text/hf/loadHfTokenizer.node.ts';
