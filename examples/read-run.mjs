// Reads a run with a script: how it went, and which turns were credited most. node examples/read-run.mjs RUN
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const run = process.argv[2];
if (run === undefined) {
  console.error('usage: node examples/read-run.mjs RUN');
  process.exit(2);
}
const jsonLines = (text) =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

// metrics.jsonl: a line an iteration, and lines of warm start and evaluations between them.
const iterations = jsonLines(readFileSync(join(run, 'metrics.jsonl'), 'utf8')).filter(({ kind }) => kind === 'train');
for (const { iteration, success, kl, entropy, deadGroupShare, validShare } of iterations) {
  const bar = '█'.repeat(Math.round(20 * success)).padEnd(20, '·');
  const signal = `${(100 * (1 - deadGroupShare)).toFixed(0)} % of groups differ`;
  console.log(
    `${String(iteration).padStart(3)} ${bar} ${(100 * success).toFixed(1)} %, KL ${kl.toFixed(3)}, entropy ${entropy.toFixed(2)}, ${signal}, ${(100 * validShare).toFixed(0)} % valid`,
  );
}

// rollouts/: the turns of an iteration, gzipped, with all that each advantage consists of.
const files = readdirSync(join(run, 'rollouts'))
  .filter((name) => /^\d+\.jsonl\.gz$/.test(name))
  .sort();
const last = files.at(-1);
if (last === undefined) console.log('\nThis run kept no rollouts (rollouts.keep).');
else {
  const rows = jsonLines(gunzipSync(readFileSync(join(run, 'rollouts', last))).toString());
  rows.sort((a, b) => b.advantage - a.advantage);
  console.log(`\n${rows.length} turns in ${last}; those that were credited most and least:`);
  for (const { advantage, episodeAdvantage, stepAdvantage, observation, action } of [
    ...rows.slice(0, 3),
    ...rows.slice(-3),
  ])
    console.log(
      `${advantage.toFixed(2).padStart(7)} = ${episodeAdvantage.toFixed(2)} (episode) + ${stepAdvantage.toFixed(2)} (step): "${action}", having seen "${observation.slice(0, 60)}"`,
    );
}
