/**
 * Times every kernel: each bench case, each variant that the adapter can run. `*` marks the variant that programs use;
 * `--defaults` measures no other.
 *
 *     node scripts/run.mjs bench/kernels.ts [--filter matmul] [--adapter lavapipe] [--defaults] [--json]
 *
 * Times are the median (and least and most) milliseconds a dispatch; GFLOP/s and GB/s follow from the kernel's cost. Exits with 1 if a result is wrong.
 */
import { kernels } from '../kernels/index.ts';
import { openDevice } from '../src/gpu/device.node.ts';
import { type KernelRow, measureKernel } from './lib/kernelRows.ts';
import { readOptions } from './lib/options.ts';

const { filter, adapter, defaults, json } = readOptions();
const gpu = await openDevice(adapter);
const rows: KernelRow[] = [];
if (!json) console.log(`${gpu.adapter.name}\n${line(['kernel', 'shape', 'ms', 'least', 'most', 'GFLOP/s', 'GB/s', ''])}`);
for (const spec of kernels.filter(({ name }) => name.includes(filter))) {
  for await (const row of measureKernel(gpu, spec, defaults)) {
    rows.push(row);
    if (!json) console.log(line(cellsOf(row)));
  }
}
if (json) console.log(JSON.stringify(rows, null, 2));
gpu.destroy();
process.exitCode = rows.some(({ check }) => check === 'wrong') ? 1 : 0;

function cellsOf(row: KernelRow): string[] {
  const { median, min, max } = row.ms;
  return [
    `${row.default ? '*' : ' '} ${row.variant}`,
    row.shape,
    ...[median, min, max].map((ms) => ms.toFixed(4)),
    row.gflops?.toFixed(2) ?? '',
    row.gbps?.toFixed(2) ?? '',
    row.check === 'wrong' ? 'WRONG' : '',
  ];
}

function line(cells: readonly string[]): string {
  const widths = [50, 44, 10, 10, 10, 9, 9, 0];
  return cells.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' ');
}
