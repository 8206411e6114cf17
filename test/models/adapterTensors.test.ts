/** Adapters' tensors under the names that writers give them, with copies of the model's own, and what does not fit. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { writeSafetensors } from '../../src/base/safetensors.node.ts';
import { checkAdapterTensors } from '../../src/models/adapterTensors.ts';
import { readHfModel } from '../../src/models/hf/checkpoint.node.ts';
import { AdapterFolder } from '../../src/models/peft.node.ts';
import { proxmo } from '../support/cli.ts';
import { hfFixture, sourceOf, tensorsOf } from '../support/hfFixtures.ts';
import { peftFixture } from '../support/peftFixtures.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-adapter-tensors-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Tensors = Map<string, { shape: readonly number[]; data: Float32Array }>;

async function fixtureTensors(): Promise<Tensors> {
  const adapter = await AdapterFolder.open(peftFixture('llama'));
  const tensors: Tensors = new Map();
  for (const name of adapter.names()) tensors.set(name, { shape: adapter.shape(name), data: await adapter.read(name) });
  await adapter.close();
  return tensors;
}

let copies = 0;
/** The fixture with other tensors. */
async function folderOf(tensors: Tensors): Promise<string> {
  const dir = join(folder, `${copies++}`);
  cpSync(peftFixture('llama'), dir, { recursive: true });
  await writeSafetensors(
    join(dir, 'adapter_model.safetensors'),
    [...tensors].map(([name, { shape, data }]) => ({ name, shape, data, dtype: 'F32' })),
  );
  return dir;
}

const renamed = (tensors: Tensors, change: (name: string) => string): Tensors =>
  new Map([...tensors].map(([name, tensor]) => [change(name), tensor]));

describe('names', () => {
  it.each([
    ["with the adapter's own", (name: string) => name.replace('.weight', '.default.weight')],
    ['with another of its own', (name: string) => name.replace('.weight', '.my policy.weight')],
    ['without the prefix', (name: string) => name.replace('base_model.model.', '')],
    [
      'without the prefix and with their own',
      (name: string) => name.replace('base_model.model.', '').replace('.weight', '.default.weight'),
    ],
  ])('%s are those that PEFT saves', async (_, change) => {
    const tensors = await fixtureTensors();
    const adapter = await AdapterFolder.open(await folderOf(renamed(tensors, change)));
    expect(new Set(adapter.names())).toEqual(new Set(tensors.keys()));
    for (const [name, { shape, data }] of tensors) {
      expect(adapter.shape(name)).toEqual(shape);
      expect(await adapter.read(name)).toEqual(data);
    }
    await adapter.close();
  });

  it('of two adapters are refused', async () => {
    const tensors = await fixtureTensors();
    const both = new Map([...tensors, ...renamed(tensors, (name) => name.replace('.weight', '.other.weight'))]);
    await expect(AdapterFolder.open(await folderOf(both))).rejects.toThrow(
      /has two adapters, in .* save each by itself/,
    );
  });
});

describe("copies of the model's own tensors", () => {
  const check = async (added: (base: Tensors) => Tensors) => {
    const base = await tensorsOf(hfFixture('llama'));
    const adapter = await AdapterFolder.open(await folderOf(new Map([...(await fixtureTensors()), ...added(base)])));
    const model = await readHfModel(hfFixture('llama'));
    return checkAdapterTensors(model, adapter.config, adapter, 'here', sourceOf(base)).finally(() => adapter.close());
  };
  const head = (base: Tensors) => base.get('lm_head.weight')!;

  it('are passed over where they are equal', async () => {
    await check((base) => new Map([['base_model.model.lm_head.weight', head(base)]]));
    await check((base) => new Map([['lm_head.weight', head(base)]]));
    await check(
      (base) => new Map([['base_model.model.model.embed_tokens.weight', base.get('model.embed_tokens.weight')!]]),
    );
  });

  it('are refused where they differ', async () => {
    const changed = (base: Tensors) => ({ ...head(base), data: head(base).data.with(3, 9) });
    await expect(check((base) => new Map([['base_model.model.lm_head.weight', changed(base)]]))).rejects.toThrow(
      "here has a lm_head.weight of its own, which differs from the model's, though its adapter_config.json does not name it in modules_to_save; name it there",
    );
    const longer = { shape: [1, 16], data: new Float32Array(16) };
    await expect(check(() => new Map([['base_model.model.lm_head.weight', longer]]))).rejects.toThrow(
      'a lm_head.weight of its own',
    );
  });

  it('of other kinds have no place', async () => {
    const norm = (base: Tensors) => base.get('model.norm.weight')!;
    await expect(check((base) => new Map([['base_model.model.model.norm.weight', norm(base)]]))).rejects.toThrow(
      'has a tensor base_model.model.model.norm.weight that its adapter_config.json has no place for',
    );
  });
});

it('--plan refuses what cannot be loaded', async () => {
  const tensors = await fixtureTensors();
  const [first] = tensors.keys();
  tensors.delete(first!);
  const dir = await folderOf(tensors);
  const args = ['--model', hfFixture('llama'), '--preset', 'pretrained', '--set', `lora.from=${dir}`, '--plan'];
  const { code, stderr } = await proxmo(['train', ...args]);
  expect([code, stderr]).toEqual([
    1,
    expect.stringMatching(`${dir} \\(made for .*llama\\) has no tensor ${first}; it does not fit`),
  ]);
});

it('--plan says that a run will refuse adapters of another model', async () => {
  const wider = new Map(
    [...(await fixtureTensors())].map(([name, { shape, data }]) => {
      const doubled = new Float32Array([...data, ...data]);
      return [
        name,
        { shape: /lora_A/.test(name) ? [shape[0]!, 2 * shape[1]!] : [2 * shape[0]!, shape[1]!], data: doubled },
      ];
    }),
  );
  const dir = await folderOf(wider);
  const args = ['train', '--model', hfFixture('llama'), '--preset', 'pretrained', '--set', `lora.from=${dir}`];
  const { code, stderr, stdout } = await proxmo([...args, '--plan']);
  expect([code, stderr]).toEqual([
    0,
    expect.stringMatching(/The run itself will refuse these adapters: .* make it \[4, 16\]/),
  ]);
  expect(stdout).toMatch(/^total/m);
});
