/**
 * Tries the library where it meets another WebGPU than Node's: `node scripts/everywhere.mjs [PLATFORM…] [--all]
 * [--minutes=N]`, of node22, node24, bun, chromium, deno and firefox. Kernels are checked against their references, and
 * a policy trains in f32 and, where there is one, f16. What cannot be tried here is told, and counted. `--all` checks
 * every variant of every kernel. Other versions of Node, and Bun, come from npm, for the time of the command.
 *
 * With `--fresh` it tries node20, node22 and node24 as who clones the repository meets them: `npm ci` in a folder that
 * has nothing but the checkout's files, then some of the tests, those that `--tests=PATH` names (several times), or
 * `--all`.
 *
 * However it ends, what it started ends with it, and its folder goes.
 */
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { constants, tmpdir } from 'node:os';
import { delimiter, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { bundle as bundleForNode } from './bundle.mjs';
import { wgslEsbuild } from './wgsl.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
/** Minutes that a platform may take for what is chosen, and for all, where `--minutes=N` says no other. */
const [usualMinutes, minutesOfAll] = [10, 60];

/** Tests of a fresh install: files of all kinds, a device, a thread with one, a training run, the command line. */
const chosenTests = [
  'test/base',
  'test/gpu/device.test.ts',
  'test/gpu/deviceWorker.test.ts',
  'test/rl/recordedRun.test.ts',
  'test/cli/doctor.test.ts',
];

/** Thrown where a platform cannot be tried here. */
class Skipped extends Error {}

const probed = {
  node22: () => underDawn('node', 'node@22'),
  node24: () => underDawn('node', 'node@24'),
  bun: () => underDawn('bun', 'bun'),
  chromium,
  deno,
  firefox,
};
const { names, all, isFresh, tests, minutes } = readArguments();
/** Each gives what it came to, in words, and what is wrong. */
const platforms = isFresh
  ? Object.fromEntries([20, 22, 24].map((version) => [`node${version}`, () => freshInstall(`node@${version}`)]))
  : Object.fromEntries(Object.entries(probed).map(([name, start]) => [name, async () => outcomeOf(await start())]));
const unknown = names.find((name) => !(name in platforms));
if (unknown !== undefined) refuse(`There is no platform ${unknown}; there are ${Object.keys(platforms).join(', ')}.`);

/** Programs that run. */
const children = new Set();
const folder = mkdtempSync(join(tmpdir(), 'proxmo-everywhere-'));
process.once('exit', () => {
  for (const child of children) end(child);
  // What was ended a moment ago may still be writing.
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.once(signal, () => process.exit(128 + constants.signals[signal]));

const counts = { passed: 0, failed: 0, skipped: 0 };
const parts = [];
const started = performance.now();
if (!isFresh) await bundle('probe', { platform: 'browser' });
for (const [name, start] of Object.entries(platforms)) {
  if (names.length > 0 && !names.includes(name)) continue;
  const began = performance.now();
  counts[await tryOn(name, start)]++;
  parts.push(`${name} ${secondsSince(began)} s`);
  console.log(`  ${parts.at(-1)}`);
}
console.log(
  `everywhere: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped in ${secondsSince(started)} s (${parts.join(', ')})`,
);
process.exit(counts.failed > 0 ? 1 : 0);

function readArguments() {
  const options = {
    all: { type: 'boolean', default: false },
    fresh: { type: 'boolean', default: false },
    tests: { type: 'string', multiple: true },
    minutes: { type: 'string' },
  };
  try {
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    const { all, fresh, tests } = values;
    if (tests && !fresh)
      throw new Error('--tests is for --fresh; without it, kernels are checked and a policy trains.');
    if (tests && all) throw new Error('--tests names some tests, and --all means all of them; give one of the two.');
    const minutes = Number(values.minutes ?? (all ? minutesOfAll : usualMinutes));
    if (!(minutes > 0)) throw new Error(`--minutes takes a number above 0, not ${values.minutes}.`);
    return { names: positionals, all, isFresh: fresh, tests: all ? [] : (tests ?? chosenTests), minutes };
  } catch (error) {
    return refuse(error.message);
  }
}

/** Ends the command with what is wrong with its arguments. */
function refuse(problem) {
  console.error(`everywhere: ${problem}`);
  process.exit(1);
}

function secondsSince(start) {
  return ((performance.now() - start) / 1000).toFixed(0);
}

/** Bundles a file of test/everywhere into the folder. */
async function bundle(name, options) {
  await build({
    entryPoints: [join(root, 'test', 'everywhere', `${name}.ts`)],
    outfile: join(folder, `${name}.mjs`),
    bundle: true,
    format: 'esm',
    target: 'es2022',
    plugins: [wgslEsbuild],
    logLevel: 'warning',
    ...options,
  });
}

/** @returns `passed`, `failed` or `skipped` */
async function tryOn(name, start) {
  try {
    const { told, problems } = await start();
    console.log(`${name}: ${told}`);
    for (const problem of problems) console.log(`  ${problem}`);
    return problems.length === 0 ? 'passed' : 'failed';
  } catch (error) {
    const isSkip = error instanceof Skipped;
    console.log(`${name}: ${isSkip ? 'skipped: ' : 'FAILED: '}${error.message}`);
    return isSkip ? 'skipped' : 'failed';
  }
}

/** What a probe found. */
function outcomeOf({ adapter, right, wrong, leftOut, trainings }) {
  const problems = [
    ...wrong,
    ...trainings.flatMap(({ precision, problem }) => (problem ? [`training in ${precision}: ${problem}`] : [])),
  ];
  const trained = trainings.map(
    ({ precision, samplerMismatch, seconds }) =>
      `${precision} in ${seconds.toFixed(1)} s, sampler and trainer within ${samplerMismatch.toExponential(1)}`,
  );
  const left = leftOut.length > 0 ? `, ${leftOut.length} left out without f16` : '';
  const told = `${adapter}; ${right} kernels right, ${wrong.length} wrong${left}; trained ${trained.join('; ')}`;
  return { told, problems };
}

/** The checkout's files in a folder of their own, installed and tested under a Node that npm brings. */
async function freshInstall(source) {
  const node = await programOfNpm('node', source);
  const checkout = join(folder, source);
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root });
  for (const file of listed
    .toString()
    .split('\0')
    .filter((name) => existsSync(join(root, name)) && name !== ''))
    cpSync(join(root, file), join(checkout, file));
  execFileSync('git', ['init', '--quiet'], { cwd: checkout });
  const report = join(folder, `${source}.json`);
  const env = {
    ...process.env,
    PATH: `${dirname(node)}${delimiter}${process.env.PATH}`,
    PROXMO_TEST_REPORT: report,
  };
  const options = { cwd: checkout, env, shell: process.platform === 'win32' };
  const began = performance.now();
  await lastLineOf('npm', ['ci', '--no-audit', '--no-fund'], options);
  const installed = `installed in ${secondsSince(began)} s`;
  const version = await lastLineOf(node, ['--version']);
  // What fails is in the report.
  await lastLineOf('npm', ['test', '--', ...tests], options).catch(() => {});
  if (!existsSync(report)) throw new Error(`Node ${version} was ${installed}, but its tests did not run`);
  const { numPassedTests, numFailedTests, numPendingTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
  const failed = testResults.filter(({ status }) => status !== 'passed').flatMap(problemsOf);
  if (numPassedTests === 0 && failed.length === 0) failed.push(`none of its tests is in ${tests.join(', ')}`);
  rmSync(checkout, { recursive: true, force: true });
  return {
    told: `Node ${version}, ${installed}; ${numPassedTests} tests passed, ${numFailedTests} failed, ${numPendingTests} skipped`,
    problems: failed,
  };
}

/** What failed in a file of tests, and the first words on why: its folder is gone when somebody reads it. */
function problemsOf({ name, message, assertionResults }) {
  const failed = assertionResults.filter(({ status }) => status === 'failed');
  const file = relative(folder, name);
  if (failed.length === 0) return [`failed: ${file}: ${message.split('\n')[0]}`];
  return failed.map(
    ({ fullName, failureMessages: [why = ''] }) => `failed: ${file}: ${fullName}: ${why.split('\n')[0]}`,
  );
}

/**
 * A page for a browser, which sends back what it came to. @param open starts the browser at an address, gives its end
 */
async function inBrowser(open) {
  const page = `<!doctype html><title>proxmo</title><script type="module">
    const send = (path, value) => fetch(path, { method: 'POST', body: JSON.stringify(value) });
    try {
      const { probe } = await import('./probe.mjs');
      await send('result', await probe({ all: ${all} }, (what) => send('step', what)));
    } catch (error) {
      await send('error', String(error?.message ?? error));
    }
  </script>`;
  let last = 'starting';
  let server;
  const result = new Promise((resolve, reject) => {
    server = createServer(async (request, response) => {
      if (request.method === 'GET') {
        const isProbe = request.url === '/probe.mjs';
        response.setHeader('content-type', isProbe ? 'text/javascript' : 'text/html');
        response.end(isProbe ? readFileSync(join(folder, 'probe.mjs')) : page);
        return;
      }
      let body = '';
      for await (const part of request) body += part;
      response.end();
      const value = JSON.parse(body);
      if (request.url === '/step') last = value;
      else if (request.url === '/result') resolve(value);
      else reject(noAdapter(value) ? new Skipped(value) : new Error(value));
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = await open(`http://127.0.0.1:${server.address().port}/`);
  try {
    return await withLimit(result, () => last);
  } finally {
    await close();
    server.closeAllConnections();
    server.close();
  }
}

/** Whether there is nothing to try it on. */
function noAdapter(message) {
  return /No WebGPU device could be opened/.test(message);
}

async function withLimit(promise, where) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it took more than ${minutes} min, at: ${where()}`)), 60_000 * minutes);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Chromium out of the npm package, on SwiftShader. */
async function chromium() {
  process.env.AWS_LAMBDA_JS_RUNTIME ??= 'nodejs20.x';
  const [{ default: bundled }, { chromium: launcher }] = await Promise.all([
    import('@sparticuz/chromium'),
    import('playwright-core'),
  ]);
  return inBrowser(async (address) => {
    const args = ['--no-sandbox', '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];
    const browser = await launcher.launch({ executablePath: await bundled.executablePath(), args }).catch((error) => {
      throw new Skipped(`Chromium does not start here: ${error.message.split('\n')[0]}`);
    });
    await (await browser.newPage()).goto(address);
    return () => browser.close();
  });
}

/** Firefox as the system has it, whose WebGPU is wgpu, and which is stricter about shaders. */
async function firefox() {
  const path = (process.env.PATH ?? '')
    .split(':')
    .flatMap((dir) => ['firefox-esr', 'firefox'].map((name) => join(dir, name)));
  const program = path.find((file) => existsSync(file));
  if (!program) throw new Skipped('Firefox is not installed (Debian: apt install firefox-esr)');
  const profile = join(folder, 'firefox');
  mkdirSync(profile);
  const settings = {
    'dom.webgpu.enabled': true,
    'gfx.webgpu.ignore-blocklist': true,
    'browser.shell.checkDefaultBrowser': false,
    'datareporting.policy.dataSubmissionEnabled': false,
    'app.update.enabled': false,
  };
  writeFileSync(
    join(profile, 'user.js'),
    Object.entries(settings)
      .map(([key, value]) => `user_pref(${JSON.stringify(key)}, ${value});\n`)
      .join(''),
  );
  return inBrowser(async (address) => {
    const child = spawn(program, ['--headless', '--no-remote', '--profile', profile, address], { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    return async () => {
      child.kill();
      await ended;
    };
  });
}

/** Deno out of the npm package, whose WebGPU is wgpu on the system's Vulkan drivers. */
async function deno() {
  // The program as its package for this system has it, whether or not install scripts ran.
  const packages = join(root, 'node_modules', '@deno');
  const [own] = existsSync(packages) ? readdirSync(packages) : [];
  if (own === undefined) throw new Skipped('Deno is not installed: npm has none for this system');
  const program = join(packages, own, process.platform === 'win32' ? 'deno.exe' : 'deno');
  const script = join(folder, 'deno.mjs');
  writeFileSync(
    script,
    `import { probe } from './probe.mjs';
    try {
      console.log(JSON.stringify(await probe({ all: ${all} }, (what) => console.error(what))));
    } catch (error) {
      console.log(JSON.stringify({ error: error.message }));
    }
    Deno.exit(0);`,
  );
  await bundle('openDevice', { platform: 'node', external: ['webgpu'] });
  const result = JSON.parse(await runDeno(program, script));
  if (result.error !== undefined) throw noAdapter(result.error) ? new Skipped(result.error) : new Error(result.error);
  const opened = await runDeno(program, join(folder, 'openDevice.mjs'));
  if (opened !== result.adapter) throw new Error(`openDevice() opens ${opened}, and not Deno's own ${result.adapter}`);
  return result;
}

/** A program that npm brings, with the library on Dawn, and an environment in TypeScript. */
async function underDawn(program, source) {
  const path = await programOfNpm(program, source);
  const script = await bundleForNode(join(root, 'test', 'everywhere', 'nodeProbe.ts'));
  const environment = join(root, 'test', 'everywhere', 'doors.ts');
  const result = JSON.parse(await lastLineOf(path, [script, environment, all ? 'all' : 'some']));
  if (result.error !== undefined) throw noAdapter(result.error) ? new Skipped(result.error) : new Error(result.error);
  return result;
}

/** Where npm has put a program of another package, which it fetches if it must. */
async function programOfNpm(program, source) {
  const args = ['exec', '--yes', `--package=${source}`, '--', program, '-p', 'process.execPath'];
  try {
    return await lastLineOf('npm', args, { cwd: folder, shell: process.platform === 'win32' });
  } catch (error) {
    throw new Skipped(`npm brings no ${source} here (${error.message})`);
  }
}

function runDeno(program, script) {
  return lastLineOf(program, ['run', '-A', '--unstable-webgpu', '--no-config', script]);
}

/** The last line that a program prints. It ends, with all that it started, when it takes too long. */
async function lastLineOf(program, args, options = {}) {
  const detached = process.platform !== 'win32';
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached, ...options });
  children.add(child);
  let [output, last] = ['', 'starting'];
  child.stdout.on('data', (text) => (output += text));
  child.stderr.on('data', (text) => (last = String(text).trim().split('\n').at(-1)));
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(signal ?? code));
  });
  try {
    const code = await withLimit(ended, () => last);
    const line = output.trim().split('\n').at(-1);
    if (code !== 0 || !line) throw new Error(`it ended with ${code}, at: ${last}`);
    return line;
  } finally {
    end(child);
    children.delete(child);
  }
}

/** Ends a program of `lastLineOf` and, where it has a process group of its own, what it started. */
function end(child) {
  try {
    if (process.platform === 'win32') child.kill();
    else if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
