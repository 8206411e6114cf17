/** `proxmo env`, and training in environments of users, as their users meet them. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { proxmo } from '../support/cli.ts';
import { needsData } from '../support/sharedData.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-env-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const root = join(import.meta.dirname, '../..');
const shared = join(root, '../shared/data');
const server = JSON.stringify([process.execPath, join(root, 'test/support/envServer.mjs')]);

const write = (name: string, content: string | Buffer) => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

const broken = write(
  'broken.mjs',
  `export default (_, { defineTaskSet }) => defineTaskSet({
    name: 'broken',
    maxSteps: 2,
    tasks: ['a', 'b', 'c', 'd'].map((id) => ({ id, type: 'only' })),
    instruction: () => 'go.',
    *play() {
      const action = yield { observation: 'start', actions: ['go'] };
      return { observation: 'end', success: true, reward: action === 'go' ? NaN : 1 };
    },
  });`,
);

const few = write(
  'few.mjs',
  readFileSync(broken, 'utf8').replace("'broken'", "'few'").replace(", reward: action === 'go' ? NaN : 1", ''),
);

describe('proxmo env list', () => {
  it('says what each environment is, where its data comes from and whether it is there', async () => {
    const { code, stdout } = await proxmo(['env', 'list']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^household +find things/);
    expect(stdout).toMatch(/data: generated/);
    expect(stdout).toMatch(
      /webshop .*\n +data: .*\n +settings: prompt\.maxTokens 576, sampling\.maxNewTokens 28\n +ready/,
    );
    expect(stdout).toMatch(/not ready as it is: process: `command` is not set: give the program/);
  });

  it('gives JSON', async () => {
    const { stdout } = await proxmo(['env', 'list', '--json']);
    const rows = JSON.parse(stdout) as { name: string; available: boolean; missing?: string }[];
    expect(rows.map(({ name }) => name)).toEqual(['household', 'alfworld', 'webshop', 'process', 'http']);
    expect(rows[0]).toMatchObject({
      available: true,
      settings: { prompt: { maxTokens: 192 }, sampling: { maxNewTokens: 6 } },
    });
    expect(rows[3]).toMatchObject({ available: false, missing: expect.stringContaining('command') });
  });
});

describe('proxmo env play', () => {
  it('takes numbers and texts', async () => {
    const input = '99\nfly\n1\ntake lamp 1\n';
    const { code, stdout } = await proxmo(['env', 'play', 'household', '--type', 'look', '--seed', '4'], { input });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^task .* \(look\): look at/);
    expect(stdout).toMatch(/ {3}1 {2}go /);
    expect(stdout).toContain('There is no action 99; the list ends at');
    expect(stdout).toMatch(/> {3}go \w+\n/);
    expect(stdout).toMatch(/not done after 3 steps, reward 0\n$/);
  });

  it('takes an action on offer in other letters, as it is offered', async () => {
    const path = write(
      'doors.mjs',
      `export default (_, { defineTaskSet }) => defineTaskSet({
        name: 'doors',
        maxSteps: 3,
        tasks: ['a', 'b'].map((id) => ({ id, type: 'open' })),
        instruction: () => 'open red.',
        *play() {
          return { observation: 'so.', success: (yield { observation: 'well?', actions: [' Open Red ', '7'] }) === ' Open Red ' };
        },
      });`,
    );
    const { stdout } = await proxmo(['env', 'play', path], { input: 'open red\n' });
    expect(stdout).toContain('>    Open Red \n');
    expect(stdout).toMatch(/done after 1 steps, reward 10\n$/);
  });

  it('ends with the episode', async () => {
    const { stdout } = await proxmo(['env', 'play', 'process', '--option', `command=${server}`, '--type', 'small'], {
      input: 'add\nadd\nadd\n',
    });
    expect(stdout).toMatch(/2 of 2\.\ndone after 2 steps, reward 1, score 1\n {2}sum 2\n$/);
  });
});

describe('an environment that fails while it is played', () => {
  it('is blamed for it', async () => {
    const path = write(
      'throws.mjs',
      readFileSync(broken, 'utf8').replace('const action', 'throw new TypeError("no lamp"); const action'),
    );
    const { code, stderr } = await proxmo(['env', 'play', path], { input: '1\n' });
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `proxmo: In task d: ${path}:7:13: reset failed: TypeError: no lamp\n`,
    });
  });
});

describe('proxmo env check', () => {
  it('passes a sound environment', async () => {
    const { code, stdout, stderr } = await proxmo([
      'env',
      'check',
      'household',
      '--option',
      'rooms=20',
      '--tasks',
      '2',
    ]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout.trim().split('\n')).toHaveLength(9);
    expect(stdout).not.toContain('BREAKS');
  });

  it('says in one line each what breaks, and fails', async () => {
    const { code, stdout, stderr } = await proxmo(['env', 'check', broken]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^BREAKS {2}turns +task \w, step 1, after "go": reward is NaN, not a number$/m);
    expect(stdout).toMatch(/^BREAKS {2}wrong actions +task \w: the action "xyzzy 4711 plugh" accomplishes it$/m);
    expect(stderr).toMatch(/^proxmo: broken breaks \d+ of \d+ checks; see above what and where\.\n$/);
  });

  it('gives JSON', async () => {
    const { code, stdout } = await proxmo(['env', 'check', broken, '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      name: 'broken',
      holds: false,
      findings: expect.arrayContaining([expect.objectContaining({ check: 'turns', holds: false })]),
    });
  });
});

describe('mistakes end in one sentence and a non-zero exit', () => {
  const empty = write('empty.jsonl', '');
  const text = write('text.jsonl', 'not json\n');
  const other = write('other.jsonl', '{"a": 1}\n');
  const cut = write(
    'cut.jsonl.gz',
    gzipSync(`${JSON.stringify({ gamefile: 'x', steps: [] })}\n`.repeat(2000)).subarray(0, 20),
  );
  it.each([
    [['env'], 2, /Usage: proxmo env/],
    [['env', 'fly'], 2, /unknown command 'fly'/],
    [['env', 'check'], 2, /missing required argument 'environment'/],
    [['env', 'check', 'houshold'], 1, /There is no environment houshold \(did you mean household\?\)/],
    [
      ['env', 'check', write('unparsable.mjs', 'export default () => {\n  const x = 3;\n  const y = ;\n};\n')],
      1,
      /^proxmo: \S+unparsable\.mjs:3: the environment module cannot be loaded: SyntaxError: Unexpected token ';'\n$/,
    ],
    [['env', 'check', './absent.mjs'], 1, /There is no environment module .*absent\.mjs/],
    [['env', 'check', 'household', '--option', 'rooms'], 2, /--option rooms is not an assignment; write key=value/],
    [
      ['env', 'check', 'household', '--option', 'rooms={'],
      2,
      /--option rooms=\{ is not valid YAML \(what begins here is not closed\)/,
    ],
    [['env', 'check', 'household', '--option', 'room=3'], 1, /household: .*room/],
    [['env', 'check', 'household', '--tasks', '0'], 2, /--tasks.* It must be a whole number of 1 or more/],
    [
      ['env', 'check', 'process', '--option', 'command=[/no/such/program]'],
      1,
      /could not be started: there is no such file or folder \(ENOENT\); check the command/,
    ],
    [
      ['env', 'check', 'http', '--option', 'url=http://127.0.0.1:1', '--option', 'tasks=9'],
      1,
      /127\.0\.0\.1:1 cannot be reached/,
    ],
    [['env', 'play', 'household', '--type', 'fly'], 2, /There is no task type fly; choose one of pick, look/],
    [
      ['env', 'play', 'household', '--split', 'test'],
      2,
      /--split.*'test' is invalid\. Allowed choices are train, seen, unseen/,
    ],
    [['env', 'replay', empty], 2, /required option '--data <dir>' not specified/],
    [
      ['env', 'replay', join(folder, 'absent.jsonl'), '--data', folder],
      1,
      /absent\.jsonl cannot be read: there is no such file or folder \(ENOENT\)/,
    ],
    [['env', 'replay', folder, '--data', folder], 1, /cannot be read: it is a folder, not a file \(EISDIR\)/],
    [['env', 'replay', empty, '--data', folder], 1, /empty\.jsonl holds no record/],
    [['env', 'replay', text, '--data', folder], 1, /text\.jsonl line 1 is not JSON/],
    [
      ['env', 'replay', other, '--data', folder],
      1,
      /the first record has the keys a; known records are ALFWorld transcripts/,
    ],
    [['env', 'replay', cut, '--data', folder], 1, /cut\.jsonl\.gz cannot be read: the compressed data ends too early/],
    [['train', '--env', './absent.mjs', '--out', join(folder, 'never')], 1, /There is no environment module/],
    [
      ['train', '--env', broken, '--out', join(folder, 'never')],
      1,
      /broken: the words of its texts cannot be collected, as most .*, in task \w: broken answered nonsense: reward is NaN/,
    ],
    [
      ['train', '--env', few, '--out', join(folder, 'never')],
      1,
      /The train split of few has 3 tasks, but an iteration takes 16 \(training\.tasks\); set it lower/,
    ],
    [['train', '--resume', folder, '--env', 'household'], 2, /A resumed run keeps its folder and settings/],
  ] as const)('%j', async (args, code, message) => {
    const result = await proxmo(args);
    expect(result.stderr).toMatch(message);
    expect(result.stderr).not.toContain('    at ');
    expect(result.code).toBe(code);
    expect(result.stdout).toBe('');
  });
});

describe('proxmo env replay', () => {
  const games = join(shared, 'alfworld-games');
  const transcripts = join(shared, 'alfworld-golden/transcripts.jsonl.gz');
  const shop = join(shared, 'webshop-1000');
  const sessions = join(shared, 'webshop-golden/sessions.jsonl.gz');

  it(
    'finds ALFWorld transcripts equal, and points at a character that is not',
    needsData(games, transcripts),
    async () => {
      const sound = await proxmo(['env', 'replay', transcripts, '--data', games]);
      expect(sound).toMatchObject({ code: 0, stdout: 'ALFWorld transcripts: 594 of 594 steps equal\n' });
      const changed = write(
        'changed.jsonl',
        gunzipSync(readFileSync(transcripts)).toString().replace('You pick up', 'You picked up'),
      );
      const wrong = await proxmo(['env', 'replay', changed, '--data', games]);
      expect(wrong.code).toBe(1);
      expect(wrong.stdout).toMatch(
        /593 of 594 steps equal\nfirst difference: .*, step \d+, feedback, from character 8\n {2}expected: "You picked up.*\n {2}actual: {3}"You pick up/,
      );
      expect(wrong.stderr).toMatch(/^proxmo: 1 of 594 steps differ from the record/);
    },
  );

  it('finds WebShop sessions equal, as JSON', needsData(shop, sessions), async () => {
    const { code, stdout } = await proxmo(['env', 'replay', sessions, '--data', shop, '--json']);
    expect(code).toBe(0);
    const report = JSON.parse(stdout) as { steps: number };
    expect(report).toEqual({
      format: 'WebShop sessions',
      steps: report.steps,
      equal: report.steps,
      firstDifference: null,
    });
    expect(report.steps).toBeGreaterThan(100);
  });
});

describe('data that is missing', () => {
  const absent = join(folder, 'no-data');
  it.each([
    ['alfworld', /ALFWorld's games are not at .*; fetch them with proxmo env fetch alfworld, or set the option data/],
    [
      'webshop',
      /webshop: there is no .*no-data; set data to the folder that the setup script of WebShop's repository .* has put/,
    ],
  ])('is told before anything is written: %s', async (name, message) => {
    const out = join(folder, `${name}-without-data`);
    const { code, stdout, stderr } = await proxmo([
      'train',
      '--env',
      name,
      '--set',
      `environment.options.data=${absent}`,
      '--out',
      out,
    ]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr.trim().split('\n').at(-1)).toMatch(message);
    expect(stderr).not.toContain('writing');
    expect(existsSync(out)).toBe(false);
  });
});

describe('training in another environment than the preset’s', () => {
  it('differs by nothing but its name: lengths fit its texts, and the preset’s options stay behind', async () => {
    const dir = join(folder, 'shop-run');
    const few = [
      'warmStart={tasks: 3, epochs: 1}',
      'training={iterations: 1, pool: 2, tasks: 2, groupSize: 2}',
      'evaluation.tasks=5',
    ];
    const settings = [
      ...few,
      'environment.options.maxSteps=6',
      'policy={dModel: 16, layers: 1, heads: 2, kvHeads: 1, headDim: 8, dFf: 16}',
    ];
    const { code, stdout, stderr } = await proxmo([
      'train',
      '--env',
      'webshop',
      ...settings.flatMap((setting) => ['--set', setting]),
      '--out',
      dir,
    ]);
    expect(stderr).not.toContain('proxmo:');
    expect(code).toBe(0);
    const config = parse(readFileSync(join(dir, 'config.yaml'), 'utf8'));
    expect(config).toMatchObject({ prompt: { maxTokens: 576 }, sampling: { maxNewTokens: 28, constrained: true } });
    expect(config.environment.options).toEqual({ maxSteps: 6 });
    // The table and the files say what purchases were worth, and for what.
    expect(stdout).toMatch(/\nscore +\d\.\d{3} +\d\.\d{3} +[+-]\d\.\d{3}\nscore: bought +\d\.\d{3}/);
    const evaluated = await proxmo(['eval', dir]);
    expect(evaluated.stdout).toMatch(
      /\nscore +\d\.\d{3}\nscore: bought +\d\.\d{3}\nscore: type +\d\.\d{3}\nscore: attributes/,
    );
    const { components } = JSON.parse((await proxmo(['eval', dir, '--json'])).stdout);
    expect(components).toEqual(JSON.parse(readFileSync(join(dir, 'summary.json'), 'utf8')).after.components);
  });

  it('keeps to what is set', async () => {
    const out = join(folder, 'never-run');
    const short = [
      'train',
      '--env',
      'webshop',
      '--set',
      'prompt.maxTokens=8',
      '--set',
      'warmStart.tasks=2',
      '--out',
      out,
    ];
    expect((await proxmo(short)).stderr).toMatch(/the task alone needs \d+ tokens but at most 8 are allowed/);
  });
});

describe('training in an environment of one’s own', () => {
  const tiny = [
    'policy={dModel: 16, layers: 1, heads: 2, kvHeads: 1, headDim: 8, dFf: 16}',
    'training={iterations: 1, pool: 4, tasks: 2, groupSize: 2}',
    'evaluation.tasks=4',
    'environment.retryDelaySeconds=0.01',
  ].flatMap((setting) => ['--set', setting]);

  it('runs from a module, whose path is kept whole', async () => {
    const dir = join(folder, 'module-run');
    const env = join(root, 'examples/my-env.mjs');
    const { code, stdout } = await proxmo([
      'train',
      '--env',
      env,
      ...tiny,
      '--set',
      'warmStart.tasks=4',
      '--set',
      'environment.options.maxSteps=5',
      '--out',
      dir,
    ]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/bring +/);
    const config = readFileSync(join(dir, 'config.yaml'), 'utf8');
    expect(config).toContain(`name: ${resolve(env)}`);
    expect(config).toMatch(/options:\n +maxSteps: 5/);
    expect((await proxmo(['eval', dir, '--json'])).code).toBe(0);
  });

  it('plays an episode again when its process is killed, and counts it', async () => {
    const dir = join(folder, 'process-run');
    const fault = `environment.options.options={fault: sigkill, once: ${join(folder, 'once')}}`;
    const settings = [`environment.options.command=${server}`, fault, 'warmStart.tasks=0'].flatMap((setting) => [
      '--set',
      setting,
    ]);
    const { code, stderr } = await proxmo(['train', '--env', 'process', ...tiny, ...settings, '--out', dir]);
    expect(stderr).not.toContain('proxmo:');
    expect(code).toBe(0);
    const records = readFileSync(join(dir, 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(records.map(({ kind, faults }) => [kind, faults])).toEqual([
      ['eval', 1],
      ['train', 0],
      ['eval', 0],
    ]);
    const evaluation = await proxmo(['eval', dir, '--all', '--json']);
    expect(JSON.parse(evaluation.stdout)).toMatchObject({ split: 'unseen', episodes: 12 });
  });
});
