/** The README.md of a model that a run has trained: its card, with the front matter that the Hugging Face hub reads. */
import { basename, join } from 'node:path';
import { stringify } from 'yaml';
import { packageVersion } from '../../base/packageVersion.ts';
import { readTextOrNull } from '../../base/wholeFile.node.ts';
import { estimatorName } from '../../rl/advantages/options.ts';
import type { TrainConfig } from '../../rl/config.ts';
import { sftRunConfig } from '../../rl/runConfig.node.ts';
import { sftSummarySchema } from '../../rl/sft/supervisedRun.node.ts';
import { type EvaluationSummary, summarySchema } from '../../rl/summary.ts';
import { isPlainObject } from '../../runs/json.ts';
import type { Run } from '../../runs/run.ts';
import { parseYaml } from '../../runs/yaml.ts';
import { percent } from '../table.ts';

export interface CardSubject {
  readonly run: Run;
  readonly config: TrainConfig;
  /** Path of the model that the run began with. */
  readonly base: string;
  /** Iteration of the weights. */
  readonly iteration: number;
  /** Folder that is made. */
  readonly dir: string;
  /** What is in it. */
  readonly form: 'model' | 'adapters';
}

interface BaseFacts {
  /** As people know it: its id on the hub, or the name of its folder. */
  readonly name: string;
  /** Its id on the hub, as `org/name`; null where that is not known. */
  readonly id: string | null;
  /** Null where it is not known. */
  readonly license: string | null;
}

/** The text of the card. What is not known is left out, and said to be unknown. */
export async function modelCard(subject: CardSubject): Promise<string> {
  const base = await factsOf(subject.base);
  if (subject.run.manifest.kind === 'sft') return tunedCard(subject, base);
  const summary = summarySchema.safeParse(await subject.run.readSummary()).data ?? null;
  const isFinal = summary !== null && subject.iteration === subject.config.training.iterations;
  const after = isFinal ? summary.after : null;
  return [
    head(subject, { ...frontMatter(subject, base), ...modelIndex(subject, after) }),
    introduction(subject, base),
    `## Results\n\n${isFinal ? results(subject, summary.before, summary.after) : `These are the weights after iteration ${subject.iteration}, which were not evaluated at the end of a run.`}\n`,
    ...usage(subject, base, subject.config),
  ].join('\n');
}

/** The card of a model that was fine-tuned on chats. */
async function tunedCard(subject: CardSubject, base: BaseFacts): Promise<string> {
  const { run, iteration, form } = subject;
  const summary = sftSummarySchema.safeParse(await run.readSummary()).data ?? null;
  const known = summary !== null && iteration === summary.steps ? summary : null;
  const what = form === 'adapters' ? 'LoRA adapters for' : 'A model trained from';
  const chats = known === null ? '' : ` of ${known.data.chats} chats`;
  const losses =
    known?.before && known.after
      ? `Loss on ${known.data.heldOut} held-out chats, in nats a token of the replies: ${known.before.loss.toFixed(4)} before, ${known.after.loss.toFixed(4)} after.`
      : `These are the weights after step ${iteration}, for which no held-out loss is known.`;
  return [
    head(subject, frontMatter(subject, base)),
    `${what} **${base.name}**, fine-tuned by [proxmo](https://www.npmjs.com/package/proxmo) on the replies${chats}: ${iteration} optimiser steps, seed ${run.manifest.seed}.\n`,
    provenance(subject, base),
    `## Results\n\n${losses}\n`,
    ...usage(subject, base, sftRunConfig(run)),
  ].join('\n');
}

function head({ dir }: CardSubject, front: object): string {
  return `---\n${stringify(front)}---\n\n# ${basename(dir)}\n`;
}

function usage(subject: CardSubject, base: BaseFacts, settings: object): string[] {
  return [
    `## How to load it\n\n${loading(subject, base)}`,
    `## Settings\n\n\`\`\`yaml\n${stringify(withoutFolders(settings))}\`\`\`\n`,
  ];
}

function frontMatter({ form, run }: CardSubject, { id, license }: BaseFacts) {
  const how = run.manifest.kind === 'sft' ? ['sft'] : ['reinforcement-learning', 'multi-turn'];
  return {
    library_name: form === 'adapters' ? 'peft' : 'transformers',
    pipeline_tag: 'text-generation',
    ...(id === null ? {} : { base_model: id }),
    ...(license === null ? {} : { license }),
    tags: ['proxmo', ...how, ...(form === 'adapters' ? ['lora'] : [])],
  };
}

function modelIndex({ config, dir }: CardSubject, after: EvaluationSummary | null) {
  if (after === null) return {};
  const { environment, evaluation } = config;
  const name = basename(environment.name);
  const result = {
    task: { type: 'reinforcement-learning', name: 'multi-turn tasks' },
    dataset: { type: name, name: `${name}, ${evaluation.split} tasks` },
    metrics: [{ type: 'success_rate', name: 'success rate', value: after.success }],
  };
  return { 'model-index': [{ name: basename(dir), results: [result] }] };
}

function introduction(subject: CardSubject, base: BaseFacts): string {
  const { form, config, iteration } = subject;
  const { name } = base;
  const { environment, advantages, training, warmStart, seed } = config;
  const what = form === 'adapters' ? 'LoRA adapters for' : 'A model trained from';
  const taught = warmStart.tasks > 0 ? ` after a warm start on demonstrations of up to ${warmStart.tasks} tasks` : '';
  return [
    `${what} **${name}**, trained with ${estimatorName(advantages)} by [proxmo](https://www.npmjs.com/package/proxmo) on the`,
    `environment \`${basename(environment.name)}\`${taught}: ${iteration} iterations of ${training.tasks} tasks with ${training.groupSize} episodes each, seed ${seed}.\n`,
    provenance(subject, base),
  ].join('\n');
}

function provenance({ run }: CardSubject, { name, license }: BaseFacts): string {
  return [
    `- Base model: ${name}`,
    `- Licence of the base model: ${license ?? 'not known here; look at where the base model is from'}`,
    `- Trained by proxmo ${run.manifest.version}, begun ${run.manifest.started}; saved by proxmo ${packageVersion}\n`,
  ].join('\n');
}

function results({ config }: CardSubject, before: EvaluationSummary, after: EvaluationSummary): string {
  const row = (name: string, { success, interval: [low, high], meanLength, validShare }: EvaluationSummary) =>
    `| ${name} | ${percent(success)} | ${percent(low)} to ${percent(high)} | ${meanLength.toFixed(1)} | ${percent(validShare)} |`;
  const types = Object.keys(after.byTask).map(
    (type) => `| ${type} | ${percent(before.byTask[type] ?? 0)} | ${percent(after.byTask[type] ?? 0)} |`,
  );
  return [
    `${after.episodes} held-out tasks of the split \`${config.evaluation.split}\`, each played once at temperature ${config.evaluation.temperature}.\n`,
    '| | success | 95 % interval | steps of an episode | valid actions |\n|---|---|---|---|---|',
    row('before training', before),
    row('after training', after),
    '\n| task type | before | after |\n|---|---|---|',
    ...types,
  ].join('\n');
}

function loading({ form, dir }: CardSubject, { name }: BaseFacts): string {
  const folder = JSON.stringify(basename(dir));
  const code =
    form === 'adapters'
      ? [
          'from peft import PeftModel',
          'from transformers import AutoModelForCausalLM, AutoTokenizer',
          '',
          `base = ${JSON.stringify(name)}`,
          'tokenizer = AutoTokenizer.from_pretrained(base)',
          `model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), ${folder})`,
        ]
      : [
          'from transformers import AutoModelForCausalLM, AutoTokenizer',
          '',
          `tokenizer = AutoTokenizer.from_pretrained(${folder})`,
          `model = AutoModelForCausalLM.from_pretrained(${folder})`,
        ];
  return `\`\`\`python\n${code.join('\n')}\n\`\`\`\n`;
}

/** Settings without where files lie on the machine that trained. */
function withoutFolders(value: unknown): unknown {
  if (typeof value === 'string' && value.startsWith('/')) return basename(value);
  if (Array.isArray(value)) return value.map(withoutFolders);
  return isPlainObject(value)
    ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withoutFolders(each)]))
    : value;
}

async function factsOf(base: string): Promise<BaseFacts> {
  const { _name_or_path: from } = jsonObject(await textIn(base, 'config.json'));
  const id = typeof from === 'string' && /^[\w.-]+\/[\w.-]+$/.test(from) ? from : null;
  const front = /^---\r?\n(.*?)\r?\n---/s.exec((await textIn(base, 'README.md')) ?? '')?.[1];
  const license = front === undefined ? undefined : yamlObject(front).license;
  return {
    name: id ?? basename(base),
    id,
    license: typeof license === 'string' ? license : null,
  };
}

/** A file beside the weights; a GGUF file has none. */
async function textIn(base: string, name: string): Promise<string | null> {
  return base.endsWith('.gguf') ? null : readTextOrNull(join(base, name));
}

function jsonObject(text: string | null): Record<string, unknown> {
  const value: unknown = text === null ? {} : JSON.parse(text);
  return isPlainObject(value) ? value : {};
}

/** What a card of somebody else's says, as far as it is YAML. */
function yamlObject(text: string): Record<string, unknown> {
  try {
    const { value } = parseYaml(text, 'README.md', 'file');
    return isPlainObject(value) ? value : {};
  } catch {
    return {};
  }
}
