/** What the command line loads before it knows what to do: not what one command alone needs, and takes long to load. */
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { pageEsbuild } from '../../scripts/page.mjs';
import { wgslEsbuild } from '../../scripts/wgsl.mjs';
import { proxmo } from '../support/cli.ts';

const asUrl = (script: string) => `data:text/javascript,${encodeURIComponent(script)}`;
const heavy = ['@observablehq/plot', 'linkedom', 'webgpu', '@huggingface/hub', '@nats-io/transport-node'];
/** Fails whatever loads one of these packages. */
const hooks = asUrl(`export function resolve(name, context, next) {
  if (${JSON.stringify(heavy)}.includes(name)) throw new Error(name + ' is loaded');
  return next(name, context);
}`);
const env = {
  NODE_OPTIONS: `--import ${asUrl(`import { register } from 'node:module'; register(${JSON.stringify(hooks)});`)}`,
};

/** Modules of the sources that are loaded with a file. */
async function loadedWith(file: string): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: [file],
    bundle: true,
    splitting: true,
    write: false,
    outdir: 'unused',
    format: 'esm',
    platform: 'node',
    packages: 'external',
    metafile: true,
    plugins: [wgslEsbuild, pageEsbuild],
  });
  const loaded = new Set([file]);
  for (const module of loaded) {
    for (const { kind, path, external } of metafile.inputs[module]?.imports ?? [])
      if (kind === 'import-statement' && !external) loaded.add(path);
  }
  return [...loaded];
}

describe('what is loaded with a command that computes nothing', () => {
  it.each(['compare', 'completion', 'config', 'export', 'fleet', 'kernel', 'view', 'why'])('%s', async (name) => {
    const loaded = await loadedWith(`src/cli/${name}.ts`);
    expect(loaded).toContain('src/cli/output.ts');
    expect(loaded.filter((path) => /^src\/(nn\/transformer|models\/hf|text\/hf)/.test(path))).toEqual([]);
  });
});

it.each(['--version', 'config explain seed', 'bench --help', 'env list'])('proxmo %s', async (line) => {
  expect(await proxmo(line.split(' '), { env })).toMatchObject({ code: 0, stderr: '' });
});
