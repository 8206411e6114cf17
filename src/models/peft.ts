/**
 * Low-rank adapters as the library PEFT describes and names them: which matrices of a model they change,
 * adapter_config.json, and the names of their tensors. An adapter of a projection W `[out, in]` is A `[rank, in]` and B
 * `[out, rank]`; the projection becomes W + factor · B · A (Hu et al., arXiv 2106.09685). An embedding W `[tokens,
 * dModel]` becomes W + factor · (B · A)ᵀ, with A `[rank, tokens]` and B `[dModel, rank]`. Other modules can be trained
 * as a whole beside the adapters (`savedModules.ts`).
 */
import * as z from 'zod';
import { ProxmoError } from '../base/errors.ts';
import type { HfModel } from './hf/config.ts';
import { checkedFields } from './hf/issues.ts';
import { headName, type WeightPlacement, weightPlacements } from './hf/weightNames.ts';

/** The settings of low-rank adapters, as PEFT's `adapter_config.json` has them. */
export interface LoraConfig {
  readonly rank: number;
  /** The update's factor is alpha / rank, or alpha / √rank where `rankStabilised`. */
  readonly alpha: number;
  /**
   * Names of projections as in the checkpoint, or their ends: `q_proj`, `down_proj`, `c_attn`, `attn.c_proj`; of
   * embeddings, `embed_tokens`; of the head, `lm_head`. `all-linear` is every projection but the head. A pattern is a
   * regular expression that matches whole names, as PEFT's.
   */
  readonly targets: readonly string[] | 'all-linear' | { readonly pattern: string };
  /** Share of a projection's inputs that the adapter does not see while it is trained. Default: 0. */
  readonly dropout?: number;
  /** Kalajdzievski, arXiv 2312.03732. Default: false. */
  readonly rankStabilised?: boolean;
  /**
   * Ranks of some projections, by patterns: names of modules or their ends, or regular expressions, of which the first
   * that matches counts. Default: none.
   */
  readonly rankPattern?: Readonly<Record<string, number>>;
  /** Alphas of some projections, in the same way. */
  readonly alphaPattern?: Readonly<Record<string, number>>;
  /** Names of modules, or their ends, that are trained as a whole, in copies of their own. Default: none. */
  readonly modulesToSave?: readonly string[];
  /** What is trained of a tied embedding is to hold for the head too, and the other way round. Default: false. */
  readonly ensureWeightTying?: boolean;
}

/** A matrix with an adapter. */
export interface LoraSite {
  /** The matrix's name in the checkpoint, as `model.layers.0.self_attn.q_proj`. */
  readonly module: string;
  /** Whether its rows are looked up, and not multiplied with: `inputs` are tokens then. */
  readonly isEmbedding: boolean;
  /**
   * The transformer's parameter that holds it, and its first output there: projections that read the same input are one
   * parameter.
   */
  readonly parameter: string;
  readonly firstOutput: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly rank: number;
  /** What the update is multiplied by. */
  readonly factor: number;
}

/**
 * The projections that a configuration's targets name, in the checkpoint's order.
 * @throws {ProxmoError} `config` if the rank, alpha or dropout is out of range, or a target names no projection
 */
export function loraSites(model: Pick<HfModel, 'family' | 'transformer'>, config: LoraConfig): LoraSite[] {
  const { targets, dropout = 0 } = config;
  checkStrengths(config);
  if (!(dropout >= 0 && dropout < 1))
    throw new ProxmoError('config', `the adapter's dropout is ${dropout}; it must be at least 0 and below 1.`);
  const { embeddings, projections, head } = possibleSites(model, strengths(config));
  if (targets === 'all-linear') return projections;
  const sites = namedSites(model.family, targets, { embeddings, projections, head });
  refuseTying(model, config, sites);
  return sites;
}

type PossibleSites = ReturnType<typeof possibleSites>;

/** The sites that targets name. @throws {ProxmoError} `config` if one names none */
function namedSites(
  family: HfModel['family'],
  targets: Exclude<LoraConfig['targets'], 'all-linear'>,
  { embeddings, projections, head }: PossibleSites,
): LoraSite[] {
  const all = [...embeddings, ...projections, head];
  const known = `a ${family} model has ${namesOf([...projections, ...embeddings, head])}`;
  if ('pattern' in targets) {
    const matches = patternOf(targets.pattern);
    const found = all.filter(({ module }) => matches.test(module));
    if (found.length > 0) return found;
    throw new ProxmoError(
      'config',
      `the adapter's target_modules "${targets.pattern}" matches no projection; ${known}, as in ${projections[0]?.module}.`,
    );
  }
  const unknown = targets.length === 0 ? '' : targets.find((target) => !all.some((site) => isNamed(site, target)));
  if (unknown !== undefined)
    throw new ProxmoError('config', `the adapter's targets name no projection "${unknown}"; ${known}.`);
  return all.filter((site) => targets.some((target) => isNamed(site, target)));
}

/**
 * Refuses adapters and copies that are to be tied: embedding and head have their own here.
 * @param trained what is trained of a model
 * @throws {ProxmoError} `config`
 */
export function refuseTying(
  { transformer }: Pick<HfModel, 'transformer'>,
  { ensureWeightTying = false }: Pick<LoraConfig, 'ensureWeightTying'>,
  trained: readonly { readonly parameter: string }[],
): void {
  if (!ensureWeightTying || !transformer.tiedHead) return;
  if (trained.every(({ parameter }) => parameter !== 'embedding' && parameter !== 'head')) return;
  throw new ProxmoError(
    'config',
    "the adapter's ensure_weight_tying is true and its model's head is tied to the embedding; what is trained of one is not carried over to the other here, so merge it in PEFT and use the merged model.",
  );
}

/** Whether a name is that of a module, or its end. */
function isNamed({ module }: { readonly module: string }, name: string): boolean {
  return module === name || module.endsWith(`.${name}`);
}

function namesOf(sites: readonly LoraSite[]): string {
  return [...new Set(sites.map(({ module }) => module.split('.').slice(-1)[0]))].join(', ');
}

/** Every matrix that can have an adapter: projections, and beside them embeddings and the head. */
function possibleSites(model: Pick<HfModel, 'family' | 'transformer'>, strengthOf: ReturnType<typeof strengths>) {
  const { vocabSize, dModel } = model.transformer;
  const placements = weightPlacements(model);
  const embeddings = placements.filter(({ parameter }) => parameter === 'embedding' || parameter === 'positions');
  const head = { name: headName, shape: [vocabSize, dModel], parameter: 'head', offset: 0, transposed: false };
  return {
    embeddings: embeddings.map((placement) => embeddingSite(placement, strengthOf)),
    projections: placements.filter(isProjection).map((placement) => siteOf(placement, strengthOf)),
    head: siteOf(head, strengthOf),
  };
}

/**
 * A Python pattern that must match the whole of a name.
 * @param setting that it stands in
 * @param shown what messages show of it
 * @throws {ProxmoError} `config` if it cannot be read
 */
function patternOf(pattern: string, setting = 'target_modules', shown = pattern): RegExp {
  const [, flags = '', body = ''] = /^(\(\?[is]+\))?(.*)$/s.exec(pattern) ?? [];
  try {
    const source = body.replaceAll('(?P<', '(?<').replaceAll('\\A', '^').replaceAll('\\Z', '$');
    return new RegExp(`^(?:${source})$`, flags.replace(/\W/g, ''));
  } catch (cause) {
    throw new ProxmoError(
      'config',
      `the adapter's ${setting} "${shown}" is not a pattern that can be read (${(cause as Error).message}); list the names.`,
      { cause },
    );
  }
}

function isProjection({ name, shape, parameter }: WeightPlacement): boolean {
  return shape.length === 2 && name.endsWith('.weight') && parameter.startsWith('layers.');
}

function siteOf(
  { name, shape, parameter, offset, transposed }: Omit<WeightPlacement, 'plus'>,
  strengthOf: ReturnType<typeof strengths>,
): LoraSite {
  const [first = 0, second = 0] = shape;
  const [inputs, outputs] = transposed ? [first, second] : [second, first];
  const module = moduleOf(name);
  const place = { parameter, firstOutput: offset / inputs, inputs, outputs };
  return { module, isEmbedding: false, ...place, ...strengthOf(module) };
}

function embeddingSite(
  { name, shape, parameter }: WeightPlacement,
  strengthOf: ReturnType<typeof strengths>,
): LoraSite {
  const [inputs = 0, outputs = 0] = shape;
  const module = moduleOf(name);
  return { module, isEmbedding: true, parameter, firstOutput: 0, inputs, outputs, ...strengthOf(module) };
}

/** The module that a tensor belongs to. */
export function moduleOf(tensorName: string): string {
  return tensorName.replace(/\.(weight|bias)$/, '');
}

/** @throws {ProxmoError} `config` for a rank or an alpha that is out of range, or a pattern that cannot be read */
function checkStrengths({ rank, alpha, rankPattern = {}, alphaPattern = {} }: LoraConfig): void {
  const places = (pattern: object) =>
    Object.entries(pattern).map(([name, value]) => [` for "${name}"`, value] as const);
  for (const [of, value] of [['', rank] as const, ...places(rankPattern)]) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    throw new ProxmoError('config', `the adapter's rank${of} is ${value}; it must be a whole number of 1 or more.`);
  }
  for (const [of, value] of [['', alpha] as const, ...places(alphaPattern)]) {
    if (Number.isFinite(value) && value > 0) continue;
    throw new ProxmoError('config', `the adapter's alpha${of} is ${value}; it must be above 0.`);
  }
}

/** Rank and factor of a module. */
function strengths(config: LoraConfig): (module: string) => Pick<LoraSite, 'rank' | 'factor'> {
  const { rank: commonRank, alpha: commonAlpha, rankPattern = {}, alphaPattern = {}, rankStabilised = false } = config;
  const lookup = (pattern: Readonly<Record<string, number>>, setting: string, otherwise: number) => {
    const known = Object.entries(pattern).map(
      ([name, value]) => [patternOf(`(.*\\.)?(${name})`, setting, name), value] as const,
    );
    return (module: string) => known.find(([matches]) => matches.test(module))?.[1] ?? otherwise;
  };
  const rankOf = lookup(rankPattern, 'rank_pattern', commonRank);
  const alphaOf = lookup(alphaPattern, 'alpha_pattern', commonAlpha);
  return (module) => {
    const rank = rankOf(module);
    return { rank, factor: alphaOf(module) / (rankStabilised ? Math.sqrt(rank) : rank) };
  };
}

/** Name of an adapter's matrix in PEFT's checkpoints. */
export function loraTensorName({ module, isEmbedding }: LoraSite, matrix: 'A' | 'B'): string {
  return `${savedPrefix}${module}.lora_${isEmbedding ? `embedding_${matrix}` : `${matrix}.weight`}`;
}

/** What PEFT puts before the names of a model's modules. */
export const savedPrefix = 'base_model.model.';

/** Shape of an adapter's matrix. */
export function loraShape({ inputs, outputs, rank }: LoraSite, matrix: 'A' | 'B'): readonly [number, number] {
  return matrix === 'A' ? [rank, inputs] : [outputs, rank];
}

/** What these settings may be. */
const allowedValues: Readonly<Record<string, readonly unknown[]>> = {
  peft_type: ['LORA'],
  task_type: ['CAUSAL_LM', null],
  bias: ['none'],
  // Others start from changed base weights, which an adapter's file does not hold.
  init_lora_weights: [true, false, 'gaussian', 'eva', 'orthogonal'],
};

/** Settings that are read, and those that say how PEFT stores, merges or trains an adapter and change nothing here. */
const knownSettings = new Set([
  ...['r', 'lora_alpha', 'lora_dropout', 'target_modules', 'use_rslora', 'rank_pattern', 'alpha_pattern'],
  ...['modules_to_save', 'ensure_weight_tying'],
  ...['base_model_name_or_path', 'revision', 'peft_version', 'auto_mapping', 'inference_mode', 'fan_in_fan_out'],
  ...['runtime_config', 'ephemeral_gpu_offload', 'eva_config', 'megatron_core', 'qalora_group_size'],
]);

const settings = z.object({
  r: z.number().int().min(1),
  lora_alpha: z.number().positive(),
  lora_dropout: z.number().min(0).lt(1).default(0),
  target_modules: z.union([
    z.array(z.string()).min(1),
    z
      .string()
      .min(1)
      .transform((text) => (text.toLowerCase() === 'all-linear' ? ('all-linear' as const) : { pattern: text })),
  ]),
  use_rslora: z.boolean().default(false),
  rank_pattern: z.record(z.string(), z.number()).nullish(),
  alpha_pattern: z.record(z.string(), z.number()).nullish(),
  modules_to_save: z.array(z.string()).nullish(),
  ensure_weight_tying: z.boolean().nullish(),
});

/**
 * The adapter that a file describes. A setting that is not known must be off.
 * @param where names the file in messages
 * @throws {ProxmoError} `config` if it is no LoRA adapter, or has a setting that is not supported
 */
export function parseAdapterConfig(value: unknown, where = 'adapter_config.json'): LoraConfig {
  const table = z.record(z.string(), z.unknown()).safeParse(value);
  if (!table.success) throw new ProxmoError('config', `${where} is not a JSON object; use the file that PEFT saved.`);
  for (const name of new Set([...Object.keys(allowedValues), ...Object.keys(table.data)])) {
    const given = table.data[name];
    const allowed = allowedValues[name];
    if (
      allowed
        ? allowed.includes(given) || (given === undefined && name !== 'peft_type')
        : knownSettings.has(name) || isOff(given)
    )
      continue;
    throw new ProxmoError(
      'config',
      `${where}: ${name} is ${JSON.stringify(given)}, which is not supported; use an adapter without it.`,
    );
  }
  const parsed = checkedFields(settings, table.data, (problem) => new ProxmoError('config', `${where}: ${problem}.`));
  const { r, lora_alpha: alpha, lora_dropout: dropout, target_modules: targets, use_rslora: rankStabilised } = parsed;
  const patterns = {
    ...(isOff(parsed.rank_pattern ?? null) ? {} : { rankPattern: parsed.rank_pattern! }),
    ...(isOff(parsed.alpha_pattern ?? null) ? {} : { alphaPattern: parsed.alpha_pattern! }),
    ...(isOff(parsed.modules_to_save ?? null) ? {} : { modulesToSave: parsed.modules_to_save! }),
    ...(parsed.ensure_weight_tying ? { ensureWeightTying: true } : {}),
  };
  return { rank: r, alpha, targets, dropout, rankStabilised, ...patterns };
}

/** Whether a setting is at a value that PEFT gives to what is not used. */
function isOff(value: unknown): boolean {
  return value === null || value === false || (typeof value === 'object' && Object.keys(value).length === 0);
}

/** adapter_config.json as PEFT reads it. @param baseModel name or folder of the model that the adapter belongs to */
export function adapterConfig(
  model: Pick<HfModel, 'family' | 'transformer'>,
  config: LoraConfig,
  baseModel: string,
): Record<string, unknown> {
  return {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: baseModel,
    r: config.rank,
    lora_alpha: config.alpha,
    lora_dropout: config.dropout ?? 0,
    use_rslora: config.rankStabilised ?? false,
    // In full where they are not names, so that no other module is meant.
    target_modules: Array.isArray(config.targets)
      ? config.targets
      : loraSites(model, config).map(({ module }) => module),
    ...(config.rankPattern ? { rank_pattern: config.rankPattern } : {}),
    ...(config.alphaPattern ? { alpha_pattern: config.alphaPattern } : {}),
    ...(config.modulesToSave ? { modules_to_save: config.modulesToSave } : {}),
    bias: 'none',
    // GPT-2 keeps its matrices as [in, out].
    fan_in_fan_out: model.family === 'gpt2',
    inference_mode: true,
  };
}
