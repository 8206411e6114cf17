/** The smallest study there is: two arms and two seeds in a world of one step. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface TinyStudy {
  readonly preset?: string;
  /** Lines of YAML under `settings`. */
  readonly settings?: string;
  /** Lines of YAML under `arms`. */
  readonly arms?: string;
  readonly seeds?: string;
  readonly reference?: string;
  readonly iterations?: number;
  /** Tasks of the warm start. */
  readonly demonstrations?: number;
}

const world = `export default ({ expert = true, fails = false }, { defineTaskSet }) => defineTaskSet({
  name: 'tiny',
  maxSteps: 1,
  tasks: [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'].map((id) => ({ id, type: id < 'a' ? 'door' : 'gate' })),
  words: ['go', 'two', 'doors', 'over', 'left', 'right'],
  instruction: () => 'go',
  *play() {
    if (fails) throw new Error('this door is stuck');
    const action = yield { observation: 'two doors', actions: ['left', 'right'] };
    return { observation: 'over', success: action === 'left' };
  },
  ...(expert ? { createExpert: () => ({ reset() {}, act: () => 'left' }) } : {}),
});`;

const defaultArms = `  proxmo:
  grpo: { advantages: { estimator: grpo } }
`;

/** Writes the study and its world into a folder. @returns the path of the study's file */
export function writeTinyStudy(folder: string, study: TinyStudy = {}): string {
  const { preset = 'small', settings = '', arms = defaultArms, seeds = '[1, 2]', reference, iterations = 2 } = study;
  const { demonstrations = 0 } = study;
  const module = join(folder, 'tiny.mjs');
  const file = join(folder, 'study.yaml');
  writeFileSync(module, world);
  writeFileSync(
    file,
    `preset: ${preset}
settings:
  environment: { name: ${JSON.stringify(module)}, retryDelaySeconds: 0, maxAttempts: 2 }
  prompt: { maxTokens: 64 }
  policy: { dModel: 8, layers: 1, heads: 1, kvHeads: 1, headDim: 8, dFf: 8 }
  sampling: { maxNewTokens: 2, blockSize: 2, constrained: true }
  warmStart: { tasks: ${demonstrations} }
  training: { iterations: ${iterations}, pool: 4, tasks: 2, groupSize: 2, miniBatches: 2, learningRate: 0.01 }
  evaluation: { tasks: 4, every: 2 }
${settings}
arms:
${arms}seeds: ${seeds}
${reference === undefined ? '' : `reference: ${reference}`}
`,
  );
  return file;
}
