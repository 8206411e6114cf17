/**
 * Tokens a second of one reply at a time from a GGUF model: proxmo with its matrices in f32, f16 and packed, and beside
 * it transformers (PyTorch, float32, the same weights widened) and llama.cpp, where they are at hand:
 *
 *     node bench/peers/decode.mjs MODEL.gguf [--adapter lavapipe] [--tokens 32] [--rounds 3] [--python python3]
 *       [--llama FOLDER] [--json]
 *
 * `--python` names an interpreter with torch, transformers, accelerate and gguf; `--llama` a folder where `npm install
 * node-llama-cpp` was run, by default this one (`npm install --no-save node-llama-cpp`). Each way is a process that
 * reads the model and warms up once; then they take turns, a reply a round, so that what else runs on the machine meets
 * all alike. A figure is the median of the rounds. CPU time a token, of all threads, says more than tokens a second
 * where other work runs beside it; of a GPU it says nothing.
 */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    adapter: { type: 'string', default: '' },
    tokens: { type: 'string', default: '32' },
    rounds: { type: 'string', default: '3' },
    python: { type: 'string' },
    llama: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const [model] = positionals;
if (!model) throw new Error('usage: node bench/peers/decode.mjs MODEL.gguf [--python PYTHON] [--llama FOLDER]');

const path = resolve(model);
const run = join(root, 'scripts', 'run.mjs');
const here = (name) => join(root, 'bench', 'peers', name);

/** The folder where node-llama-cpp is installed; null if nobody named one and it is not here. */
function llamaFolder() {
  if (values.llama) return resolve(values.llama);
  try {
    createRequire(here('package.json')).resolve('node-llama-cpp');
    return here('');
  } catch {
    return null;
  }
}

const llama = llamaFolder();
const ways = [
  ...['f32', 'f16', 'packed'].map((precision) => ({
    name: `proxmo, ${precision}`,
    command: [process.execPath, run, 'bench/peers/decodeProxmo.ts', path, values.tokens, precision, values.adapter],
  })),
  ...(values.python
    ? [{ name: 'transformers, f32', command: [values.python, here('decode_torch.py'), path, values.tokens] }]
    : []),
  ...(llama
    ? [{ name: 'llama.cpp, packed', command: [process.execPath, here('decodeLlama.mjs'), path, values.tokens, llama] }]
    : []),
];

/** Starts a way; `next` resolves to its next line. A way that ends has nothing more to say. */
function start({ name, command: [program, ...args] }) {
  const child = spawn(program, args, { cwd: root, stdio: ['pipe', 'pipe', 'pipe'] });
  let problem = '';
  child.stderr.on('data', (text) => {
    problem = `${problem}${text}`.slice(-2000);
  });
  child.stdin.on('error', () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) throw new Error(`${name}: ${problem.trim().split('\n').at(-1) || 'it ended without a figure'}`);
      if (value.startsWith('{')) return JSON.parse(value);
    }
  };
  return { name, next, ask: () => child.stdin.write('\n'), end: () => child.stdin.end() };
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const running = [];
const problems = [];
for (const way of ways) {
  const started = start(way);
  try {
    running.push({ ...started, ready: await started.next(), replies: [] });
  } catch (error) {
    problems.push(error.message);
  }
}
for (let round = 0; round < Number(values.rounds); round++) {
  for (const way of running) {
    way.ask();
    way.replies.push(await way.next());
  }
}
for (const way of running) way.end();

const rows = running.map(({ name, ready, replies }) => {
  const rates = replies.map(({ tokensPerSecond }) => tokensPerSecond);
  const cpuMs = median(replies.map((reply) => reply.cpuMs));
  return { name, ...ready, tokensPerSecond: median(rates), least: Math.min(...rates), most: Math.max(...rates), cpuMs };
});
const [first] = rows;
if (values.json) console.log(JSON.stringify({ model: path, rows, problems }, null, 2));
else {
  const columns = [
    '',
    'tokens/s',
    'least to most',
    'CPU ms a token',
    'weights, MiB',
    'first token after, s',
    'same text',
  ];
  console.log(`| ${columns.join(' | ')} |\n|${'---|'.repeat(columns.length)}`);
  for (const row of rows) {
    const times = (value, against) => `(${(value / against).toFixed(2)} ×)`;
    const cells = [
      row.name,
      `${row.tokensPerSecond.toFixed(1)} ${times(row.tokensPerSecond, first.tokensPerSecond)}`,
      `${row.least.toFixed(1)} to ${row.most.toFixed(1)}`,
      `${row.cpuMs.toFixed(0)} ${times(row.cpuMs, first.cpuMs)}`,
      row.weightsMiB.toFixed(1),
      row.secondsToFirst.toFixed(2),
      row.text === first.text ? 'yes' : 'no',
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
  for (const problem of problems) console.log(problem);
}
