/**
 * Worker threads that may open a device. Node ends a thread in the midst of whatever it does. Where that is a call of
 * Dawn, or where Dawn still owes an answer to a promise, Dawn ends the whole process. So a thread with a device is
 * asked to end: it closes its devices, and exits by itself once Dawn has answered.
 */
import {
  BroadcastChannel,
  getEnvironmentData,
  isMainThread,
  setEnvironmentData,
  threadId,
  Worker,
} from 'node:worker_threads';
import { ProxmoError } from '../base/errors.ts';
import type { GpuContext } from './context.ts';

/** A `Worker` of `node:worker_threads`. It is described here, so that declarations hold without Node's types. */
export interface WorkerThread {
  /** Its number, as the thread itself knows it. */
  readonly threadId: number;
  /** Sends a value, which is copied; what stands in the list is handed over instead. */
  postMessage(value: unknown, transferList?: readonly unknown[]): void;
  /** Calls a function at each event of a kind. */
  on<E extends keyof WorkerThreadEvents>(event: E, listener: (value: WorkerThreadEvents[E]) => void): this;
  /** Calls a function at the next event of a kind. */
  once<E extends keyof WorkerThreadEvents>(event: E, listener: (value: WorkerThreadEvents[E]) => void): this;
  /** Calls a function no more. */
  off<E extends keyof WorkerThreadEvents>(event: E, listener: (value: WorkerThreadEvents[E]) => void): this;
  /** Keeps the process alive while the thread runs, as it is by default. */
  ref(): void;
  /** Lets the process end while the thread runs. */
  unref(): void;
  /** Ends the thread. @returns its exit code, once it has ended */
  terminate(): Promise<number>;
}

/** What comes with each event of a thread. */
export interface WorkerThreadEvents {
  readonly error: Error;
  /** The exit code. */
  readonly exit: number;
  // biome-ignore lint/suspicious/noExplicitAny: what a thread sends is known to whoever wrote it, as in Node's types
  readonly message: any;
  readonly messageerror: Error;
  readonly online: undefined;
}

/** What a thread is started with, as Node has it, and whatever else a `Worker` takes. */
export interface WorkerThreadOptions {
  readonly workerData?: unknown;
  readonly transferList?: readonly unknown[];
  readonly argv?: readonly unknown[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly [other: string]: unknown;
}

const ThreadOfNode = Worker as unknown as new (filename: string | URL, options?: WorkerThreadOptions) => WorkerThread;

/** Where a thread and whoever started it meet: two shared integers, the thread's state and its id. */
type Meeting = Int32Array<SharedArrayBuffer>;
const meetingKey = 'proxmo.deviceWorker';
const [stateAt, idAt] = [0, 1];
/** A thread without devices can be ended in any way, and refuses to open one when it is being ended so. */
const state = { withoutDevices: 0, withDevices: 1, ending: 2, closed: 3 };

/** The longest that the end of a process waits for a thread that is busy, in milliseconds. */
const longestExitMs = 10_000;
/** What `Worker.terminate` makes a thread's exit code. */
const terminatedCode = 1;

/** Threads of this one that have not ended. */
const running = new Set<DeviceWorker>();

/**
 * A thread of Node's that may open devices. `terminate()` lets it end what its event loop is at, closes its devices,
 * and ends it; so does the end of the process. `Worker.terminate()` would end the whole process where a program runs.
 * @example
 * const worker = new DeviceWorker(new URL('./training.mjs', import.meta.url));
 * worker.once('message', () => worker.terminate());
 */
export class DeviceWorker extends ThreadOfNode {
  private readonly meeting: Meeting;
  private readonly ended: Promise<number>;

  /** Takes what `Worker` takes. */
  constructor(filename: string | URL, options?: WorkerThreadOptions) {
    const meeting: Meeting = new Int32Array(new SharedArrayBuffer(8));
    const inherited = getEnvironmentData(meetingKey);
    setEnvironmentData(meetingKey, meeting);
    try {
      super(filename, options);
    } finally {
      setEnvironmentData(meetingKey, inherited);
    }
    this.meeting = meeting;
    Atomics.store(meeting, idAt, this.threadId);
    Atomics.notify(meeting, idAt);
    if (running.size === 0) process.on('exit', endAll);
    running.add(this);
    this.ended = new Promise((resolve) => {
      this.once('exit', (code) => {
        running.delete(this);
        if (running.size === 0) process.off('exit', endAll);
        resolve(code);
      });
    });
  }

  /** Ends the thread. @returns its exit code, once it has ended */
  override async terminate(): Promise<number> {
    if (this.askToEnd()) return this.ended;
    return (await super.terminate()) ?? this.ended;
  }

  /** `terminate`, at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminate();
  }

  /** Asks a thread with devices to end. @returns false if it has none, and will have none */
  askToEnd(): boolean {
    const { meeting } = this;
    if (Atomics.compareExchange(meeting, stateAt, state.withoutDevices, state.ending) === state.withoutDevices)
      return false;
    if (Atomics.compareExchange(meeting, stateAt, state.withDevices, state.ending) === state.withDevices) {
      const channel = new BroadcastChannel(channelOf(meeting));
      channel.postMessage('end');
      channel.close();
    }
    return true;
  }

  /** Blocks this thread until that one has closed its devices, for some seconds at most. */
  waitForDevices(): void {
    Atomics.wait(this.meeting, stateAt, state.ending, longestExitMs);
  }
}

/** At the end of the process Node ends its threads without asking. */
function endAll(): void {
  const asked = [...running].filter((worker) => worker.askToEnd());
  for (const worker of asked) worker.waitForDevices();
}

/** Devices of this thread that are open. */
const open = new Set<GpuContext>();
/** Ticks of the event loop that Dawn has asked for: it asks for another at each, as long as it owes answers. */
let ticks = 0;
let isListening = false;
let isEnding = false;

/**
 * Makes sure that this thread may open a device, and that it closes its devices when it is asked to end.
 * @param inWorker whoever started the thread promises not to terminate it while programs run
 * @throws {ProxmoError} `no-device` in a thread that could be ended in the midst of a call of Dawn
 */
export function checkThread(inWorker: boolean): void {
  if (isMainThread) return;
  const meeting = ownMeeting();
  if (!meeting) {
    if (inWorker) return;
    throw new ProxmoError(
      'no-device',
      'Opening a device in a worker thread is refused, since worker.terminate() would end the whole process while a program runs; start the thread as a DeviceWorker (proxmo/node), or pass { inWorker: true } to openDevice and never terminate it.',
    );
  }
  const before = Atomics.compareExchange(meeting, stateAt, state.withoutDevices, state.withDevices);
  if (before === state.ending || before === state.closed)
    throw new ProxmoError('no-device', 'This thread is being terminated, so it opens no device.');
  if (isListening) return;
  isListening = true;
  countTicks(meeting);
  listen(meeting);
}

/** Devices of a thread close when it is asked to end. */
export function closeWithThread(gpu: GpuContext): void {
  if (isMainThread) return;
  open.add(gpu);
  void gpu.lost.then(() => open.delete(gpu));
}

/** That of this thread. A thread that it starts in turn as a `Worker` inherits it, and is known by its id. */
function ownMeeting(): Meeting | null {
  const meeting = getEnvironmentData(meetingKey) as Meeting | undefined;
  if (!meeting) return null;
  Atomics.wait(meeting, idAt, 0, 1000);
  return Atomics.load(meeting, idAt) === threadId ? meeting : null;
}

/**
 * Dawn takes the global `setImmediate` for its ticks, and gives it native functions. Promises' resolvers, which are
 * native too, are counted with them: whoever is resolved can ask Dawn again only later.
 */
function countTicks(meeting: Meeting): void {
  const { setImmediate } = globalThis;
  const counting = (callback: (...values: unknown[]) => void, ...values: unknown[]) => {
    if (!/\[native code\]/.test(Function.prototype.toString.call(callback))) return setImmediate(callback, ...values);
    ticks += 1;
    return setImmediate(() => {
      ticks -= 1;
      callback(...values);
      // Before those who have got an answer can ask again.
      if (isEnding) exitOnceAnswered(meeting);
    });
  };
  const properties = Object.getOwnPropertyDescriptors(setImmediate);
  globalThis.setImmediate = Object.defineProperties(counting, properties) as typeof setImmediate;
}

function listen(meeting: Meeting): void {
  const channel = new BroadcastChannel(channelOf(meeting));
  channel.unref();
  channel.onmessage = () => {
    isEnding = true;
    for (const gpu of open) gpu.destroy();
    exitOnceAnswered(meeting);
  };
}

function exitOnceAnswered(meeting: Meeting): void {
  if (ticks > 0) return;
  Atomics.store(meeting, stateAt, state.closed);
  Atomics.notify(meeting, stateAt);
  process.exit(terminatedCode);
}

function channelOf(meeting: Meeting): string {
  return `${meetingKey}.${Atomics.load(meeting, idAt)}`;
}
