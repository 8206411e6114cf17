/**
 * `proxmo model` on tiny checkpoints of every family, with what PyTorch computes with them, and on larger ones where
 * they are.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { writeSafetensors } from '../../src/base/safetensors.node.ts';
import { modelCommand } from '../../src/cli/model.ts';
import { standardOutput } from '../../src/cli/output.ts';
import { halfAdapter, needsHalf, testAdapters } from '../support/adapters.ts';
import { ggufOfQwen3 } from '../support/gguf.ts';
import { hfFixture, hfFixtures, tensorsOf } from '../support/hfFixtures.ts';
import { needs } from '../support/needs.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-model-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the command in this process; what it prints, also where it fails. */
async function run(...args: string[]): Promise<{ readonly stdout: string; readonly error: Error | null }> {
  const write = vi.spyOn(standardOutput, 'write').mockImplementation(() => undefined);
  try {
    const error = await modelCommand()
      .parseAsync(args, { from: 'user' })
      .then(
        () => null,
        (reason: Error) => reason,
      );
    return { stdout: write.mock.calls.map(([text]) => String(text)).join(''), error };
  } finally {
    write.mockRestore();
  }
}

interface Check {
  readonly name: string;
  readonly error: number;
  readonly tolerance: number;
  readonly passed: boolean;
}

const checksOf = (stdout: string) => JSON.parse(stdout).checks as Check[];

describe('verify', () => {
  describe.each(testAdapters)('on %s', (adapter) => {
    it.each(hfFixtures)('%s computes what PyTorch computes', async (name) => {
      const { stdout, error } = await run('verify', hfFixture(name), '--adapter', adapter, '--json');
      expect(error).toBeNull();
      const checks = checksOf(stdout);
      expect(checks.map((check) => check.name)).toEqual([
        'logits',
        'greedy continuation',
        'loss',
        expect.stringMatching(/^norms of (\d+) of \1 gradients$/),
        expect.stringMatching(/^first values of (\d+) of \1 gradients$/),
        'losses over AdamW steps',
      ]);
      // An order of magnitude better than what is promised: float32 allows it for models as small as these.
      for (const check of checks) expect(check.error, check.name).toBeLessThanOrEqual(check.tolerance / 10);
    });
  });

  const larger = '../shared/fixtures/hf';
  const largerFixtures = hfFixtures.filter((name) => existsSync(join(larger, name)));
  it.each(largerFixtures)(
    `${larger}/%s, with its tokenizer and chat template`,
    needs('../shared/fixtures', existsSync(larger)),
    async (name) => {
      const { stdout, error } = await run('verify', join(larger, name), '--adapter', testAdapters.at(-1)!, '--json');
      expect(error).toBeNull();
      expect(checksOf(stdout).map((check) => check.name)).toEqual(
        expect.arrayContaining(['tokenizer', 'chat template']),
      );
      expect(checksOf(stdout)).toHaveLength(8);
    },
  );

  describe('in f16', needsHalf, () => {
    const verifyHalf = (dir: string) => run('verify', dir, '--precision', 'f16', '--adapter', halfAdapter!, '--json');

    it.each(hfFixtures)(
      '%s is within the tolerances of f16: its weights are f16 numbers, but not what they are multiplied with',
      async (name) => {
        const { stdout, error } = await verifyHalf(hfFixture(name));
        expect(error).toBeNull();
        const checks = checksOf(stdout);
        expect(checks.map((check) => check.name)).not.toContain('greedy continuation');
        expect(checks.find((check) => check.name === 'logits')?.error).toBeGreaterThan(1e-4);
      },
    );

    it.each(largerFixtures)(
      `${larger}/%s is within the tolerances of f16, but not of float32`,
      needs('../shared/fixtures', existsSync(larger)),
      async (name) => {
        const { stdout, error } = await verifyHalf(join(larger, name));
        expect(error).toBeNull();
        expect(checksOf(stdout).find((check) => check.name === 'logits')?.error).toBeGreaterThan(1e-4);
      },
    );

    it('is refused on an adapter that has none', async () => {
      const { error } = await run('verify', hfFixture('llama'), '--precision', 'f16', '--adapter', 'swiftshader');
      expect(error?.message).toContain('has no 16-bit floats (shader-f16); use precision f32');
    });
  });

  const expectedOf = () => JSON.parse(readFileSync(join(hfFixture('qwen3'), 'expected.json'), 'utf8'));
  const verifyAgainst = (expected: unknown) => {
    const file = join(folder, 'expected.json');
    writeFileSync(file, typeof expected === 'string' ? expected : JSON.stringify(expected));
    return run('verify', hfFixture('qwen3'), '--expected', file, '--adapter', testAdapters.at(-1)!, '--json');
  };

  it.each([
    ['logits', (expected) => (expected.logits[1][2][7] += 1e-3)],
    ['loss', (expected) => (expected.loss += 1e-3)],
    ['norms of', (expected) => (expected.grads['model.norm.weight'].norm *= 1.01)],
    ['first values of', (expected) => (expected.grads['model.norm.weight'].first[1] += 0.01)],
    ['greedy continuation', (expected) => (expected.greedy.tokens[3] ^= 1)],
    ['losses over AdamW steps', (expected) => (expected.adamw.losses[4] += 0.01)],
  ] as [string, (expected: ReturnType<typeof expectedOf>) => void][])(
    'finds wrong %s, and nothing else',
    async (name, change) => {
      const expected = expectedOf();
      change(expected);
      const { stdout, error } = await verifyAgainst(expected);
      expect(error?.message).toMatch(
        new RegExp(`does not compute what the reference computed: ${name}[^,]*; see the errors above`),
      );
      expect(checksOf(stdout).filter(({ passed }) => !passed)).toEqual([
        expect.objectContaining({ name: expect.stringContaining(name) }),
      ]);
    },
  );

  /** The Llama fixture with a head that gives logits `factor` times as large, and those logits, changed. */
  async function scaleLogits(dir: string, factor: number, change: (row: number[]) => number[]): Promise<void> {
    const tensors = await tensorsOf(hfFixture('llama'));
    cpSync(hfFixture('llama'), dir, { recursive: true });
    const head = tensors.get('lm_head.weight')!.data;
    for (const [index, value] of head.entries()) head[index] = factor * value;
    await writeSafetensors(
      join(dir, 'model.safetensors'),
      [...tensors].map(([name, { shape, data }]) => ({ name, shape, data, dtype: 'F32' })),
    );
    const { input_ids, logits, logits_positions } = JSON.parse(
      readFileSync(join(hfFixture('llama'), 'expected.json'), 'utf8'),
    );
    const scaled = logits.map((rows: number[][]) => rows.map((row) => change(row.map((value) => factor * value))));
    writeFileSync(join(dir, 'expected.json'), JSON.stringify({ input_ids, logits: scaled, logits_positions }));
  }

  it('holds logits against the size of their neighbours', async () => {
    // The head gives logits some 1e3 times as large, so that float32 cannot be within 1e-4 of those near 0.
    const dir = join(folder, 'large-logits');
    const factor = 4096;
    await scaleLogits(dir, factor, (row) => row);
    const { stdout, error } = await run('verify', dir, '--adapter', testAdapters.at(-1)!, '--json');
    expect(error).toBeNull();
    expect(checksOf(stdout)[0]?.error).toBeLessThan(1e-5);
    // A logit that is off by a thousandth of its row's size is found all the same.
    await scaleLogits(dir, factor, ([first, ...row]) => [first! + factor * 1e-3, ...row]);
    expect((await run('verify', dir, '--adapter', testAdapters.at(-1)!, '--json')).error).not.toBeNull();
  });

  it.each([
    ['{', 'is not JSON'],
    [{ inputs: [] }, 'expected.json: `inputs` is not a known key (known here: input_ids, logits_positions,'],
    [{ loss: 1 }, 'logits, loss, grads and adamw need input_ids'],
    [{ input_ids: [[1, 2], [3]] }, '`input_ids.1` must be a list of at least 2, not [3]'],
    [
      { input_ids: [[1, 2]], logits: [[[0]]], logits_positions: [2] },
      'logits need logits_positions within the sequences',
    ],
    [{ input_ids: [[1, 40]], loss: 1 }, 'The reference has the token 40, but the model has 40 tokens only.'],
    [{ input_ids: [[1, 2]], grads: { x: { norm: 1, first: [] } } }, 'The model has no tensor "x"'],
  ])('refuses %j as a reference', async (expected, message) => {
    expect((await verifyAgainst(expected)).error?.message).toContain(message);
  });

  it('refuses sequences that are longer than the positions a model has learned', async () => {
    const file = join(folder, 'long.json');
    writeFileSync(file, JSON.stringify({ input_ids: [new Array(65).fill(1)], loss: 1 }));
    const { error } = await run('verify', hfFixture('gpt2'), '--expected', file, '--adapter', testAdapters.at(-1)!);
    expect(error?.message).toBe('The reference has sequences of 65 tokens, but the model takes 64 only.');
  });

  it('holds small logits against their size, too', async () => {
    const dir = join(folder, 'small-logits');
    const factor = 2 ** -10;
    await scaleLogits(dir, factor, (row) => row);
    const { stdout, error } = await run('verify', dir, '--adapter', testAdapters.at(-1)!, '--json');
    expect(error).toBeNull();
    expect(checksOf(stdout)[0]?.error).toBeLessThan(1e-5);
    await scaleLogits(dir, factor, (row) => row.map((value) => 1.001 * value));
    expect((await run('verify', dir, '--adapter', testAdapters.at(-1)!, '--json')).error).not.toBeNull();
  });

  it('says what to do where there is no reference', async () => {
    const { error } = await run('verify', hfFixture('qwen3'), '--expected', join(folder, 'absent.json'));
    expect(error?.message).toContain(
      'absent.json cannot be read: there is no such file or folder (ENOENT); `proxmo model reference MODEL | python3 -` makes it; --expected names another one.',
    );
  });
});

/** The Qwen3 fixture as a GGUF file. */
async function qwen3Gguf(change: (tensors: Awaited<ReturnType<typeof tensorsOf>>) => void = () => {}): Promise<string> {
  const tensors = await tensorsOf(hfFixture('qwen3'));
  change(tensors);
  const path = join(folder, 'gguf', 'qwen3.gguf');
  mkdirSync(join(folder, 'gguf'), { recursive: true });
  writeFileSync(path, ggufOfQwen3(JSON.parse(readFileSync(join(hfFixture('qwen3'), 'config.json'), 'utf8')), tensors));
  return path;
}

describe('a GGUF file', () => {
  it('is verified like a folder', async () => {
    const args = ['--expected', join(hfFixture('qwen3'), 'expected.json'), '--adapter', testAdapters.at(-1)!, '--json'];
    const { stdout, error } = await run('verify', await qwen3Gguf(), ...args);
    expect(error).toBeNull();
    expect(checksOf(stdout)).toHaveLength(6);
    expect(checksOf(stdout).every(({ passed }) => passed)).toBe(true);
  });

  it('is inspected with the texts of its end tokens, also of those that only its tokenizer names', async () => {
    const file = join(import.meta.dirname, '..', 'fixtures', 'gguf', 'qwen2.gguf');
    expect((await run('inspect', file)).stdout).toMatch(/end tokens +0 "<\|endoftext\|>", 1 "<\|im_end\|>"\n/);
    expect((await run('inspect', await qwen3Gguf())).stdout).toMatch(/no tokenizer +.*qwen3.gguf has no metadata/);
  });

  it('is inspected like a folder', async () => {
    const [file, dir] = [
      await run('inspect', await qwen3Gguf(), '--json'),
      await run('inspect', hfFixture('qwen3'), '--json'),
    ];
    const [found, expected] = [JSON.parse(file.stdout), JSON.parse(dir.stdout)];
    expect(found).toMatchObject({ family: 'qwen3', parameters: expected.parameters, tensors: expected.tensors });
    expect(found.stored).toEqual({ F32: found.parameters });
    expect(found.bytes).toEqual({ ...expected.bytes, file: 4 * found.parameters });
  });
});

const python = process.env.PYTHON ?? 'python3';
/** Runs Python with a program on its standard input; null where there is none. */
const runPython = (program: string, ...args: string[]) => {
  const { error, status, stdout, stderr } = spawnSync(python, [...args, '-'], { input: program, encoding: 'utf8' });
  return error ? null : { status, stdout, stderr };
};
const modules = "import importlib.util as u; print(all(map(u.find_spec, ['torch', 'transformers'])))";
const hasTransformers = runPython(modules)?.stdout.trim() === 'True';
const hasPython = runPython('')?.status === 0;

describe('reference', () => {
  it('is a program, whatever the names', needs('python3', hasPython), async () => {
    const dir = join(folder, 'it\'s "1" \u2028 é 🙂 \\n');
    cpSync(hfFixture('qwen2'), dir, { recursive: true });
    const { stdout, error } = await run('reference', dir, '--to', join(dir, 'out.json'), '--steps', '3');
    expect(error).toBeNull();
    const options = stdout.split('\n').find((line) => line.startsWith('options = '));
    expect(JSON.parse(runPython(`import json\n${options}\nprint(json.dumps(options))`)!.stdout)).toMatchObject({
      folder: dir,
      gguf: null,
      hasTokenizer: false,
      output: join(dir, 'out.json'),
      steps: 3,
    });
    expect(runPython(`compile(${JSON.stringify(stdout)}, 'program', 'exec')`)).toMatchObject({ status: 0 });
  });

  it('gives what verify compares with', needs('transformers for Python', hasTransformers), async () => {
    const dir = join(folder, 'referred');
    cpSync(hfFixture('qwen2'), dir, { recursive: true });
    rmSync(join(dir, 'expected.json'));
    const { stdout } = await run('reference', dir, '--steps', '2');
    expect(runPython(stdout)?.stderr).not.toMatch(/Error/);
    const verified = await run('verify', dir, '--adapter', testAdapters.at(-1)!, '--json');
    expect(verified.error).toBeNull();
    expect(checksOf(verified.stdout).map(({ name }) => name.split(' ')[0])).toEqual([
      'logits',
      'greedy',
      'loss',
      'norms',
      'first',
      'losses',
    ]);
  });

  it.each([
    [['--length', '4'], "--length must be between 8 and the model's 64 positions."],
    [['--length', '65'], "--length must be between 8 and the model's 64 positions."],
  ])('refuses %j', async (options, message) => {
    expect((await run('reference', hfFixture('gpt2'), ...options)).error?.message).toBe(message);
  });
});

describe('weights that are not numbers', () => {
  const spoilt = 'model.layers.1.mlp.up_proj.weight';
  const spoil = (tensors: Awaited<ReturnType<typeof tensorsOf>>) => {
    const { data } = tensors.get(spoilt)!;
    [data[7], data[9], data[12]] = [Number.NaN, Number.NaN, Number.NEGATIVE_INFINITY];
  };
  const spoiltFolder = async () => {
    const dir = join(folder, 'spoilt');
    cpSync(hfFixture('qwen3'), dir, { recursive: true });
    const tensors = await tensorsOf(hfFixture('qwen3'));
    spoil(tensors);
    await writeSafetensors(
      join(dir, 'model.safetensors'),
      [...tensors].map(([name, { shape, data }]) => ({ name, shape, data, dtype: 'F32' })),
    );
    return dir;
  };
  const verifyArgs = ['--expected', join(hfFixture('qwen3'), 'expected.json'), '--adapter', testAdapters.at(-1)!];

  it.each([
    ['inspect', 'a folder', spoiltFolder, []],
    ['inspect', 'a GGUF file', () => qwen3Gguf(spoil), []],
    ['verify', 'a folder', spoiltFolder, verifyArgs],
    ['verify', 'a GGUF file', () => qwen3Gguf(spoil), verifyArgs],
  ] as const)('%s names the tensor of %s', async (command, _, make, args) => {
    const { error } = await run(command, await make(), ...args);
    expect(error).toMatchObject({
      code: 'data',
      message: expect.stringContaining(
        `the tensor ${spoilt} has 2 values that are NaN and a value that is infinite, the first at index 7, so nothing`,
      ),
    });
  });

  it('can be looked at', async () => {
    const dir = await spoiltFolder();
    const { stdout } = await run('inspect', dir, '--allow-nonfinite', '--json');
    expect(JSON.parse(stdout).nonFinite).toEqual({ [spoilt]: { nan: 2, infinite: 1, first: 7 } });
    expect((await run('inspect', dir, '--allow-nonfinite')).stdout).toMatch(
      /^not finite: model\.layers\.1.* 2 values/m,
    );
    const { error } = await run('verify', dir, ...verifyArgs, '--allow-nonfinite');
    expect(error?.message).toContain('does not compute what the reference computed');
  });
});

describe('inspect', () => {
  it('counts parameters and bytes', async () => {
    const { stdout } = await run('inspect', hfFixture('llama'), '--json');
    const { family, parameters, tensors, stored, bytes, transformer } = JSON.parse(stdout);
    // 40 · 16 twice, and in each of two layers q, k, v, o with biases, three of the MLP with biases, and two norms; one
    // norm at the end.
    const layer = (32 + 16 + 16) * 17 + 16 * 33 + 2 * 24 * 17 + 16 * 25 + 2 * 16;
    expect(parameters).toBe(2 * 40 * 16 + 2 * layer + 16);
    expect({ family, tensors, stored }).toEqual({ family: 'llama', tensors: 35, stored: { BF16: parameters } });
    expect(bytes).toEqual({
      file: 2 * parameters,
      weights: 4 * parameters,
      packed: null,
      training: 16 * parameters,
      kvCachePerToken: 4 * 2 * 2 * 2 * 8,
      largestTensor: 4 * 40 * 16,
    });
    expect(transformer).toMatchObject({ heads: 4, kvHeads: 2, headDim: 8 });
  });

  it('is readable', async () => {
    const { stdout } = await run('inspect', hfFixture('gpt2'));
    expect(stdout).toMatch(/^family +gpt2$/m);
    expect(stdout).toMatch(/^MLP +geluErf, 24 wide$/m);
    expect(stdout).toMatch(/^positions +learned, up to 64$/m);
  });

  it('refuses what is no model', async () => {
    expect((await run('inspect', folder)).error?.message).toContain(
      'config.json does not exist; give the folder of a Hugging Face model.',
    );
  });
});
