/**
 * The table of peers for the machine at hand: `node table.mjs [adapter] [--json] [--rounds 5]`. Each library has a
 * process of its own and they take turns: in every round of a column each measures for a moment while the others sleep,
 * so that what disturbs the machine disturbs all of them. A figure is the median of the rounds' medians. GFLOP/s for
 * products, tokens a second for the training step, milliseconds otherwise; a result that is not right is no figure.
 */
import { existsSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { columns, tolerance } from './cases.mjs';
import { Library } from './library.mjs';

/** How long a library measures in a round; at least one call. */
const turnMs = 250;
/** A library that has measured this long in three rounds of a column leaves it at that. */
const enoughMs = 12_000;

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..');
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, rounds: { type: 'string', default: '5' } },
});
const adapter = positionals[0] ?? '';
const rounds = Number(options.rounds);
if (!(rounds >= 1)) throw new Error('--rounds takes a number from 1 on');

const ours = new Library({
  label: 'proxmo (webgpu)',
  folder: root,
  script: [join(root, 'scripts', 'run.mjs'), join('bench', 'peers', 'proxmo.ts'), adapter],
});
const libraries = [
  ours,
  peer('jax-js', '@jax-js/jax', 'webgpu', ['jaxjs.mjs', 'webgpu', adapter]),
  peer('TensorFlow.js', '@tensorflow/tfjs-backend-webgpu', 'webgpu', ['tfjs.mjs', adapter]),
  peer('ONNX Runtime', 'onnxruntime-node', 'node, webgpu', ['onnxruntime.mjs', adapter]),
  peer('gpu.js', 'gpu.js', 'webgpu', ['gpujs.mjs', adapter]),
  peer('jax-js', '@jax-js/jax', 'wasm, one thread', ['jaxjs.mjs', 'wasm']),
].filter(Boolean);

const cells = [];
for (const column of columns) cells.push(...(await measure(column)));
for (const library of libraries) library.stop();
if (options.json) console.log(JSON.stringify({ ...machine(), cells, ratios: columns.map(ratioOf) }, null, 2));
else print();

/** A peer's row; none, with a word on it, where npm has not installed the package. */
function peer(name, packageName, backend, script) {
  const manifest = join(here, 'node_modules', packageName, 'package.json');
  if (!existsSync(manifest)) {
    console.error(`${name} is not measured: ${packageName} is not installed; run npm ci in bench/peers`);
    return null;
  }
  const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
  return new Library({
    label: `${name} ${version} (${backend})`,
    webgpu: backend.endsWith('webgpu'),
    folder: here,
    script,
  });
}

/** The column's cells: `{ library, column, adapter, ms, error }`, or `{ library, column, failure }`. */
async function measure(column) {
  const running = [];
  const found = [];
  for (const library of libraries) {
    console.error(`${column.name}: ${library.label}`);
    const cell = {
      library: library.label,
      column: column.name,
      ...(await library.ask({ ask: 'prepare', column: column.name })),
    };
    found.push(cell);
    if (cell.failure) continue;
    if (cell.error <= tolerance(column)) running.push({ library, cell, turns: [] });
    else cell.failure = `WRONG: an error of ${cell.error.toPrecision(2)}`;
  }
  for (let round = 0; round < rounds; round++) {
    for (const { library, cell, turns } of round % 2 ? running.toReversed() : running) {
      if (cell.failure || (round >= 3 && sum(turns.flat()) > enoughMs)) continue;
      const { times, failure } = await library.ask({ ask: 'time', column: column.name, milliseconds: turnMs });
      if (failure) cell.failure = failure;
      else turns.push(times);
    }
  }
  for (const { cell, turns } of running) {
    if (!cell.failure)
      cell.ms = { median: median(turns.map(median)), min: Math.min(...turns.flat()), max: Math.max(...turns.flat()) };
  }
  return found;
}

function print() {
  const { adapters, node, processor } = machine();
  console.log(`${adapters.join(', ')}; Node ${node}; ${processor}\n`);
  const heads = columns.map(({ name, flops, tokens }) => `${name}, ${flops ? 'GFLOP/s' : tokens ? 'tokens/s' : 'ms'}`);
  const figures = ({ label }) => columns.map((column) => figureOf(column, cellOf(label, column)));
  const ratios = columns.map((column) => ratioText(ratioOf(column)));
  console.log([row('', heads), `|${'---|'.repeat(columns.length + 1)}`].join('\n'));
  for (const library of libraries) console.log(row(library.label, figures(library)));
  console.log(row('proxmo against the best WebGPU peer', ratios));
  for (const reason of new Set(cells.filter(({ failure }) => failure).map(reasonOf))) {
    const where = cells.filter((cell) => cell.failure && reasonOf(cell) === reason).map(({ column }) => column);
    console.log(`\n${reason} (${where.join(', ')})`);
  }
}

function reasonOf({ library, failure }) {
  return `${library}: ${failure}`;
}

function row(label, texts) {
  return `| ${[label, ...texts].join(' | ')} |`;
}

function cellOf(label, { name }) {
  return cells.find(({ library, column }) => library === label && column === name);
}

function figureOf({ flops, tokens }, { ms, failure }) {
  if (!ms) return failure.startsWith('WRONG') ? 'WRONG' : '–';
  if (flops) return (flops / ms.median / 1e6).toFixed(1);
  return tokens ? Math.round((1000 * tokens) / ms.median).toLocaleString('en') : ms.median.toFixed(1);
}

/** How many times the fastest peer's time proxmo's goes into. */
function ratioOf(column) {
  const peers = libraries.filter(({ webgpu }) => webgpu).map(({ label }) => cellOf(label, column));
  const [best] = peers.filter(({ ms }) => ms).sort((a, b) => a.ms.median - b.ms.median);
  const own = cellOf(ours.label, column);
  return {
    column: column.name,
    best: best?.library ?? null,
    ratio: best && own.ms ? best.ms.median / own.ms.median : null,
  };
}

function ratioText({ best, ratio }) {
  return ratio === null ? '–' : `${ratio.toFixed(1)} × (${best.replace(/ [\d.]+ .*/, '')})`;
}

function machine() {
  const processors = cpus();
  const adapters = [...new Set(cells.map((cell) => cell.adapter).filter(Boolean))];
  return { adapters, node: process.version, processor: `${processors.length} × ${processors[0]?.model ?? 'unknown'}` };
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
