/** `proxmo bench --tune`, and what `doctor` says of it. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { proxmo } from '../support/cli.ts';

const cache = mkdtempSync(join(tmpdir(), 'proxmo-bench-tune-'));
const before = process.env.PROXMO_CACHE;
process.env.PROXMO_CACHE = cache;
afterAll(() => {
  rmSync(cache, { recursive: true, force: true });
  if (before === undefined) delete process.env.PROXMO_CACHE;
  else process.env.PROXMO_CACHE = before;
});

const doctor = async () => JSON.parse((await proxmo(['doctor', '--json'])).stdout);

describe('proxmo bench --tune', () => {
  it('keeps its choices where doctor finds them', async () => {
    expect((await doctor()).tuning).toMatchObject({ choices: 0, problem: null });
    const tuned = await proxmo(['bench', '--tune', '--filter', 'scaleBy', '--repeat', '1', '--json']);
    expect(tuned.code).toBe(0);
    const [row] = JSON.parse(tuned.stdout).filter(({ name }: { name: string }) => name === 'scaleBy');
    expect(row).toMatchObject({ check: 'reference', variant: expect.stringMatching(/f32/) });
    expect(tuned.stderr).toMatch(/1 choices for this adapter are kept in /);
    const { tuning, matmulGflops, copyGbps, ceilings } = await doctor();
    expect(tuning).toMatchObject({ choices: 1, problem: null });
    expect(readdirSync(cache)).toContain(tuning.path.split('/').at(-1));
    expect(matmulGflops).toBe(ceilings.matmul.gflops);
    expect(copyGbps).toBe(ceilings.copy.gbps);
  });
});
