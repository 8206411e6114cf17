/** Asking whether a run or a configuration of others may start what its environment needs. */
import { createInterface } from 'node:readline';
import { isDeepStrictEqual } from 'node:util';
import { Option } from 'commander';
import * as z from 'zod';
import { anchorEnvironment } from '../envs/registry.node.ts';
import { describeStarted } from '../envs/started.ts';
import { type Agree, type Starting, startedBySettings } from '../rl/agreement.node.ts';
import type { TrainConfig } from '../rl/config.ts';
import { anchorOwn } from '../rl/own/modules.node.ts';
import type { OwnSettings } from '../rl/own/settings.ts';
import { loadConfig } from '../runs/config.ts';
import { standardError } from './output.ts';

export function trustOption(): Option {
  return new Option(
    '--trust',
    'let the run or configuration start the program of its environment, load modules that it names, or talk to a server',
  );
}

const typedSchema = z.looseObject({
  environment: z
    .looseObject({ name: z.string().default(''), options: z.record(z.string(), z.unknown()).default({}) })
    .prefault({}),
  advantages: z.looseObject({ estimator: z.string().default('proxmo') }).prefault({}),
  loss: z.looseObject({ policy: z.unknown().default('ppo') }).prefault({}),
  training: z.looseObject({ taskSampler: z.unknown().default('in-turn') }).prefault({}),
});

/**
 * Whether the assignments of the command line name all that settings start, whatever a file says besides: what a user
 * types himself he need not agree to.
 */
export async function isTyped(settings: Starting, set: readonly string[]): Promise<boolean> {
  const { environment, ...typed } = await loadConfig(typedSchema, { set });
  const own = settings.advantages ? (typed as unknown as OwnSettings) : {};
  const starting = async () => anchorOwn({ environment: anchorEnvironment(environment), ...own } as TrainConfig);
  // Options that are not whole without the file start nothing.
  const started = await starting()
    .then(startedBySettings)
    .catch(() => []);
  return started.length > 0 && isDeepStrictEqual(started, await startedBySettings(settings));
}

/** Where a question can be asked. */
export interface Terminal {
  readonly isThere: boolean;
  ask(question: string): Promise<string>;
}

/**
 * Agrees by `--trust`, or by what the user answers on the terminal. The same is asked once.
 * @param trust the option
 */
export function agreement(trust = false, terminal: Terminal = userTerminal): Agree {
  const agreed = new Set<string>();
  return async (started, source) => {
    const key = JSON.stringify(started);
    if (agreed.has(key)) return true;
    if (!trust) {
      if (!terminal.isThere) return false;
      const answer = await terminal.ask(`${source} would ${describeStarted(started)}.\nAllow it? [y/N] `);
      if (!/^\s*y(es)?\s*$/i.test(answer)) return false;
    }
    agreed.add(key);
    return true;
  };
}

const userTerminal: Terminal = {
  get isThere() {
    return process.stdin.isTTY === true && standardError.columns !== null;
  },
  ask(question) {
    standardError.write(question);
    const lines = createInterface({ input: process.stdin });
    return new Promise((resolve) => {
      // The end of the input is no agreement.
      lines.once('close', () => resolve(''));
      lines.once('line', (line) => {
        resolve(line);
        lines.close();
      });
    });
  },
};
