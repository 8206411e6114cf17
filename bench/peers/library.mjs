/**
 * A library of the table: its process, which is started when it is first asked for something, and again after it died.
 */
import { fork } from 'node:child_process';

/** Of one answer: on a software adapter a library may compile its training step for minutes. */
const longestMs = 600_000;

/** For a process to leave. */
const patienceMs = 3000;

export class Library {
  #child = null;
  #said = '';

  /** @param label in the table @param script path and arguments, run in `folder` */
  constructor({ label, webgpu = false, script, folder }) {
    Object.assign(this, { label, webgpu, script, folder });
  }

  /** @returns the worker's answer (`worker.mjs`); `{ failure }` where it has none */
  async ask(message) {
    try {
      if (!this.#child) await this.#start();
      return await this.#answer(message);
    } catch (error) {
      this.stop();
      return { failure: error.message };
    }
  }

  /** The process leaves by itself when it is let go, unless it is stuck. */
  stop() {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
    child.once('close', () => clearTimeout(timer));
    if (child.connected) child.disconnect();
  }

  async #start() {
    const [file, ...args] = this.script;
    this.#said = '';
    this.#child = fork(file, args, {
      cwd: this.folder,
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child.stderr.on('data', (text) => {
      this.#said = (this.#said + text).slice(-4000);
    });
    await this.#answer();
  }

  #answer(message) {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const listeners = {
        message: (answer) => end(resolve, answer),
        close: (code, signal) => fail(this.#reason() ?? `it ended with ${signal ?? code}`),
      };
      const timer = setTimeout(() => fail(`no answer in ${longestMs / 60_000} minutes`), longestMs);
      const end = (settle, value) => {
        clearTimeout(timer);
        for (const [event, listener] of Object.entries(listeners)) child.off(event, listener);
        settle(value);
      };
      const fail = (reason) => end(reject, new Error(reason));
      for (const [event, listener] of Object.entries(listeners)) child.on(event, listener);
      if (message) child.send(message);
    });
  }

  /** The error among its last words. */
  #reason() {
    return this.#said.split('\n').find((line) => /^\w*Error\b|^terminate called/.test(line));
  }
}
