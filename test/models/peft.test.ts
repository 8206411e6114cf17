/** adapter_config.json: what is read from it, what is written, and what is refused. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readHfModel } from '../../src/models/hf/checkpoint.node.ts';
import { adapterConfig, loraSites, parseAdapterConfig } from '../../src/models/peft.ts';
import { savedTensors } from '../../src/models/savedModules.ts';
import { LoraAdapters } from '../../src/nn/lora.ts';
import { hfFixture } from '../support/hfFixtures.ts';

const plain = { peft_type: 'LORA', r: 8, lora_alpha: 16, target_modules: ['q_proj', 'v_proj'] };

it('reads back what it writes', async () => {
  const model = await readHfModel(hfFixture('llama'));
  fc.assert(
    fc.property(
      fc.record({
        rank: fc.integer({ min: 1, max: 256 }),
        alpha: fc.double({ min: 0.5, max: 512, noNaN: true }),
        targets: fc.subarray(['q_proj', 'k_proj', 'o_proj', 'up_proj'], { minLength: 1 }),
        dropout: fc.double({ min: 0, max: 0.9, noNaN: true }),
        rankStabilised: fc.boolean(),
        rankPattern: fc.constant({ '.*0.self_attn.q_proj': 3, up_proj: 2 }),
        alphaPattern: fc.constant({ o_proj: 5 }),
      }),
      (config) => {
        expect(parseAdapterConfig(JSON.parse(JSON.stringify(adapterConfig(model, config, 'base'))))).toEqual(config);
      },
    ),
  );
});

it('knows where the parts of fused projections begin', async () => {
  const { transformer, family } = await readHfModel(hfFixture('llama'));
  const { heads, kvHeads, headDim, dModel, dFf } = transformer;
  const sites = loraSites({ transformer, family }, { rank: 1, alpha: 1, targets: ['v_proj', 'up_proj'] });
  expect(sites.slice(0, 2)).toEqual([
    {
      module: 'model.layers.0.self_attn.v_proj',
      isEmbedding: false,
      parameter: 'layers.0.attention.qkv',
      firstOutput: (heads + kvHeads) * headDim,
      inputs: dModel,
      outputs: kvHeads * headDim,
      rank: 1,
      factor: 1,
    },
    {
      module: 'model.layers.0.mlp.up_proj',
      isEmbedding: false,
      parameter: 'layers.0.mlp.gateUp',
      firstOutput: dFf,
      inputs: dModel,
      outputs: dFf,
      rank: 1,
      factor: 1,
    },
  ]);
});

it('tells projections of one name apart by more of it', async () => {
  const model = await readHfModel(hfFixture('gpt2'));
  const modules = (target: string) =>
    loraSites(model, { rank: 1, alpha: 1, targets: [target] }).map(({ module }) => module);
  expect(modules('c_proj')).toHaveLength(2 * model.transformer.layers);
  expect(modules('mlp.c_proj')).toEqual(modules('c_proj').filter((module) => module.includes('.mlp.')));
});

it('scales by alpha / rank, or by alpha / √rank', async () => {
  const model = await readHfModel(hfFixture('llama'));
  const factors = (more: object) =>
    new Set(loraSites(model, { rank: 16, alpha: 8, targets: 'all-linear', ...more }).map(({ factor }) => factor));
  expect(factors({})).toEqual(new Set([0.5]));
  expect(factors({ rankStabilised: true })).toEqual(new Set([2]));
});

describe('ranks and alphas by pattern', () => {
  const strengths = async (more: object) =>
    Object.fromEntries(
      loraSites(
        await readHfModel(hfFixture('llama')),
        parseAdapterConfig({ ...plain, target_modules: ['q_proj', 'v_proj', 'down_proj'], ...more }),
      ).map(({ module, rank, factor }) => [module.replace('model.layers.', ''), [rank, factor]]),
    );

  it('hold for the names, ends of names and expressions that match first', async () => {
    const rank_pattern = { down_proj: 2, '^model.layers.0.self_attn.q_proj': 3, '.*1.self_attn.[qv]_proj': 4 };
    expect(await strengths({ rank_pattern, alpha_pattern: { v_proj: 4, down_proj: 1 } })).toEqual({
      '0.self_attn.q_proj': [3, 16 / 3],
      '0.self_attn.v_proj': [8, 4 / 8],
      '0.mlp.down_proj': [2, 1 / 2],
      '1.self_attn.q_proj': [4, 4],
      '1.self_attn.v_proj': [4, 1],
      '1.mlp.down_proj': [2, 1 / 2],
    });
    const stabilised = await strengths({ rank_pattern: { v_proj: 4 }, use_rslora: true });
    expect(stabilised['0.self_attn.v_proj']).toEqual([4, 8]);
  });

  it.each([
    [{ rank_pattern: { q_proj: 0 } }, 'rank for "q_proj" is 0; it must be a whole number of 1 or more.'],
    [{ alpha_pattern: { q_proj: -1 } }, 'alpha for "q_proj" is -1; it must be above 0.'],
    [{ rank_pattern: { '(': 2 } }, 'rank_pattern "(" is not a pattern that can be read'],
    [{ rank_pattern: { q_proj: 'x' } }, '`rank_pattern.q_proj` must be a number, not "x".'],
  ])('%j is refused', async (more, message) => {
    await expect(strengths(more)).rejects.toMatchObject({ code: 'config', message: expect.stringContaining(message) });
  });
});

describe('targets as a pattern', () => {
  const sitesOf = async (name: 'llama' | 'gpt2', target_modules: string) =>
    loraSites(await readHfModel(hfFixture(name)), parseAdapterConfig({ ...plain, target_modules })).map(
      ({ module }) => module,
    );
  const listed = async (name: 'llama' | 'gpt2', targets: string[]) =>
    loraSites(await readHfModel(hfFixture(name)), { rank: 1, alpha: 1, targets }).map(({ module }) => module);

  it('match whole names, as PEFT matches them', async () => {
    expect(await sitesOf('llama', '.*\\.(q_proj|down_proj)')).toEqual(await listed('llama', ['q_proj', 'down_proj']));
    expect(await sitesOf('llama', 'model\\.layers\\.1\\..*(q|v)_proj')).toEqual([
      'model.layers.1.self_attn.q_proj',
      'model.layers.1.self_attn.v_proj',
    ]);
    expect(await sitesOf('llama', '(?i).*\\.Q_PROJ')).toEqual(await listed('llama', ['q_proj']));
    expect(await sitesOf('llama', '(?P<all>.*)\\.mlp\\.up_proj\\Z')).toEqual(await listed('llama', ['up_proj']));
    expect(await sitesOf('gpt2', '.*c_(attn|fc)')).toEqual(await listed('gpt2', ['c_attn', 'c_fc']));
    expect(await sitesOf('llama', 'ALL-linear')).toHaveLength(14);
    expect(await sitesOf('llama', '.*(embed_tokens|lm_head)')).toEqual(['model.embed_tokens', 'lm_head']);
    expect(await listed('gpt2', ['wte', 'wpe', 'lm_head'])).toEqual(['transformer.wte', 'transformer.wpe', 'lm_head']);
  });

  it.each([
    ['q_proj', 'matches no projection; a llama model has q_proj, k_proj'],
    ['(', 'is not a pattern that can be read'],
  ])('%s is refused', async (pattern, message) => {
    await expect(sitesOf('llama', pattern)).rejects.toMatchObject({
      code: 'config',
      message: expect.stringContaining(message),
    });
  });

  it('are written as the names that they match', async () => {
    const model = await readHfModel(hfFixture('llama'));
    const config = parseAdapterConfig({ ...plain, target_modules: '.*\\.0\\.self_attn\\.[kv]_proj' });
    expect(adapterConfig(model, config, 'base').target_modules).toEqual([
      'model.layers.0.self_attn.k_proj',
      'model.layers.0.self_attn.v_proj',
    ]);
  });
});

describe('modules that are trained as a whole', () => {
  const named = async (name: 'llama' | 'qwen2' | 'gpt2', modulesToSave: string[]) =>
    savedTensors(await readHfModel(hfFixture(name)), { modulesToSave }).map(({ placement }) => placement.name);

  it('are those whose names end so, and a tied head by itself', async () => {
    expect(await named('llama', ['lm_head', 'model.norm'])).toEqual(['model.norm.weight', 'lm_head.weight']);
    expect(await named('llama', ['1.mlp.down_proj', 'layernorm'])).toHaveLength(1 + 2 * 2 + 1);
    expect(await named('qwen2', ['lm_head'])).toEqual(['lm_head.weight']);
    expect(await named('gpt2', ['ln_f', 'wpe'])).toEqual([
      'transformer.wpe.weight',
      'transformer.ln_f.weight',
      'transformer.ln_f.bias',
    ]);
  });

  it.each([
    ['llama', ['tail'], 'modules_to_save names no module "tail" of a llama model'],
    ['llama', ['q_proj'], 'names model.layers.0.self_attn.q_proj, which is kept as a part of a larger matrix'],
    ['gpt2', ['c_fc'], 'names transformer.h.0.mlp.c_fc, which is kept as a part of a larger matrix or transposed'],
  ] as const)('of a %s cannot be %j', async (name, modules, message) => {
    await expect(named(name, [...modules])).rejects.toMatchObject({
      code: 'config',
      message: expect.stringContaining(message),
    });
  });

  it('have no adapter beside', async () => {
    const model = await readHfModel(hfFixture('llama'));
    const config = { rank: 1, alpha: 1, targets: ['lm_head'], modulesToSave: ['lm_head'] };
    expect(() => new LoraAdapters(model, config, 1)).toThrow(
      'lm_head is to have an adapter and to be trained as a whole',
    );
  });
});

describe('ensure_weight_tying', () => {
  const tied = { ...plain, ensure_weight_tying: true };

  it.each([
    [{ ...tied, target_modules: ['q_proj', 'embed_tokens'] }],
    [{ ...tied, target_modules: '.*(lm_head|q_proj)' }],
    [{ ...tied, modules_to_save: ['lm_head'] }],
  ])('is refused where %j trains one of what is tied', async (value) => {
    const model = await readHfModel(hfFixture('qwen2'));
    expect(() => new LoraAdapters(model, parseAdapterConfig(value), 1)).toThrow(
      "the adapter's ensure_weight_tying is true and its model's head is tied to the embedding",
    );
    const untied = await readHfModel(hfFixture('llama'));
    expect(() => new LoraAdapters(untied, parseAdapterConfig(value), 1)).not.toThrow();
  });

  it('changes nothing where neither is trained', async () => {
    const model = await readHfModel(hfFixture('qwen2'));
    const { sites } = new LoraAdapters(model, parseAdapterConfig(tied), 1);
    expect(sites).toEqual(loraSites(model, parseAdapterConfig(plain)));
    expect(() => parseAdapterConfig({ ...plain, ensure_weight_tying: 'yes' }, 'here')).toThrow('here: ');
  });
});

describe('an adapter_config.json', () => {
  it.each([
    [{}, 'peft_type is undefined'],
    [{ ...plain, peft_type: 'IA3' }, 'peft_type is "IA3", which is not supported'],
    [{ ...plain, use_dora: true }, 'use_dora is true'],
    [{ ...plain, bias: 'all' }, 'bias is "all"'],
    [{ ...plain, modules_to_save: 'lm_head' }, '`modules_to_save` must be'],
    [{ ...plain, lora_bias: true }, 'lora_bias is true, which is not supported; use an adapter without it.'],
    [{ ...plain, init_lora_weights: 'pissa' }, 'init_lora_weights is "pissa"'],
    [{ ...plain, something_new: 3 }, 'something_new is 3'],
    [{ ...plain, r: 0 }, '`r` must be at least 1, not 0'],
    [{ ...plain, target_modules: '' }, '`target_modules` must be'],
  ])('%j is refused', (value, message) => {
    expect(() => parseAdapterConfig(value, 'here')).toThrow(`here: ${message}`);
  });

  it('may have what is off', () => {
    expect(
      parseAdapterConfig({
        ...plain,
        something_new: null,
        layers_to_transform: null,
        alpha_pattern: {},
        use_dora: false,
      }).rank,
    ).toBe(8);
  });
});
