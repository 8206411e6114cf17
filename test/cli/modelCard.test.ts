/** The model card of an export: what it says, in front matter that the hub reads. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { modelCard } from '../../src/cli/model/card.ts';
import { trainConfigSchema } from '../../src/rl/config.ts';
import { Run } from '../../src/runs/run.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-card-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const base = join(folder, 'SmolLM2');
mkdirSync(base);
writeFileSync(join(base, 'config.json'), '{"_name_or_path":"HuggingFaceTB/SmolLM2-135M-Instruct"}');
writeFileSync(join(base, 'README.md'), '---\nlicense: apache-2.0\n---\n# SmolLM2\n');

const outcome = (success: number) => ({
  success,
  interval: [success - 0.1, success + 0.1],
  episodes: 50,
  byTask: { heat: success },
  meanLength: 7.5,
  validShare: 1,
  score: success,
  components: {},
});
const summary = {
  seed: 4,
  adapter: 'a',
  wallSeconds: 1,
  before: outcome(0.25),
  after: outcome(0.75),
  tokensPerSecond: 1,
  advantageShare: 0,
};
const manifest = {
  format: 'proxmo-run',
  formatVersion: 1,
  seed: 4,
  version: '0.1.0',
  adapter: {},
  started: '2026-01-02T03:04:05Z',
  resumes: [],
} as const;

function card(form: 'model' | 'adapters', iteration = 3, path = base) {
  const config = trainConfigSchema.parse({ seed: 4, model: path, lora: {}, training: { iterations: 3 } });
  const run = new (class extends Run {
    override readSummary = async () => summary;
  })(join(folder, 'run'), manifest as unknown as Run['manifest'], config);
  return modelCard({ run, config, base: path, iteration, dir: join(folder, 'my-policy'), form });
}
const frontOf = (text: string) => parse(/^---\n(.*?)---\n/s.exec(text)![1]!);

describe('the model card', () => {
  it('has front matter for the hub, with base model, licence and result', async () => {
    expect(frontOf(await card('adapters'))).toEqual({
      library_name: 'peft',
      pipeline_tag: 'text-generation',
      base_model: 'HuggingFaceTB/SmolLM2-135M-Instruct',
      license: 'apache-2.0',
      tags: ['proxmo', 'reinforcement-learning', 'multi-turn', 'lora'],
      'model-index': [
        {
          name: 'my-policy',
          results: [
            {
              task: { type: 'reinforcement-learning', name: 'multi-turn tasks' },
              dataset: { type: 'household', name: 'household, unseen tasks' },
              metrics: [{ type: 'success_rate', name: 'success rate', value: 0.75 }],
            },
          ],
        },
      ],
    });
  });

  it('says what it was trained on, what it came to, and how to load it, without paths of this machine', async () => {
    const text = await card('model');
    expect(text).toContain('| after training | 75.0 % | 65.0 % to 85.0 % | 7.5 | 100.0 % |');
    expect(text).toContain('| heat | 25.0 % | 75.0 % |');
    expect(text).toContain('AutoModelForCausalLM.from_pretrained("my-policy")');
    expect(text).toContain('Trained by proxmo 0.1.0');
    expect(text).toContain('groupSize: 8');
    expect(text).not.toContain(folder);
  });

  it('claims no result for weights on the way, and no licence that it does not know', async () => {
    const other = join(folder, 'other');
    mkdirSync(other);
    const text = await card('model', 2, other);
    expect(frontOf(text)).not.toHaveProperty('model-index');
    expect(frontOf(text)).not.toHaveProperty('license');
    expect(frontOf(text)).not.toHaveProperty('base_model');
    expect(text).toContain('after iteration 2, which were not evaluated at the end of a run');
    expect(text).toContain('Licence of the base model: not known here');
  });
});
