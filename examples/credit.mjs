// A walk through credit assignment: the advantages of one group, number by number, and what changes them. It needs no
// device: node examples/credit.mjs
import { referenceAdvantages } from 'proxmo/advantages';

// A task was played four times: find the cup and bring it. Two episodes succeed, and one wanders first.
const episodes = [
  { success: true, turns: ['you see a closed drawer', 'you see an open drawer', 'you hold the cup'] },
  {
    success: true,
    turns: ['you see a closed drawer', 'you see a window', 'you see an open drawer', 'you hold the cup'],
  },
  { success: false, turns: ['you see a closed drawer', 'you see a window', 'you see a window'] },
  { success: false, turns: ['you see a closed drawer', 'you see an open drawer', 'you see a window'] },
];
const rows = episodes.flatMap(({ success, turns }, number) =>
  turns.map((observation, step) => ({
    group: 'bring the cup',
    trajectory: `episode ${number + 1}`,
    step,
    observation,
    valid: true,
    success,
    reward: success && step === turns.length - 1 ? 10 : 0,
  })),
);

/** Prints a line a turn. */
function show(title, options, columns) {
  const result = referenceAdvantages(rows, { estimator: 'proxmo', ...options });
  console.log(`\n${title}`);
  for (const [i, { trajectory, step, observation }] of rows.entries()) {
    const numbers = columns.map((column) => `${column} ${result[column][i].toFixed(3).padStart(7)}`).join('   ');
    console.log(`  ${trajectory}, turn ${step}   ${observation.padEnd(26)} ${numbers}`);
  }
  return result;
}

// The return of a turn: what was still to come, less the later it came.
show('[1] Returns: a win of 10, discounted by 0.95 a turn.', {}, ['penalisedReturn']);

// The episode level compares whole episodes, so all turns of one have the same credit.
const plain = show(
  '[2] The episode level, before PSC: successes above the mean of the group, failures below.',
  { psc: false },
  ['episode'],
);
const weighed = show('[3] With PSC: half succeed, so rare successes gain a little and failures lose a little.', {}, [
  'episode',
]);
console.log(`  the weight of a success is ${(weighed.episode[0] / plain.episode[0]).toFixed(4)}`);

// The step level compares a turn with the turns in which the policy saw something similar.
const both = show('[4] The step level: the return, less what similar states came to.', {}, ['step', 'advantage']);
const window = rows.findIndex(({ trajectory, step }) => trajectory === 'episode 3' && step === 1);
const opened = rows.findIndex(({ trajectory, step }) => trajectory === 'episode 4' && step === 1);
console.log(
  `  Looking out of the window cost episode 3 ${(-both.step[window]).toFixed(2)}, beside those who did so and won.`,
);
console.log(`  Leaving the open drawer cost episode 4 ${(-both.step[opened]).toFixed(2)}: others took the cup there.`);

// Settings change who is compared with whom.
show('[5] τ = 10: all states count alike, so the baseline is the mean of all returns.', { temperature: 10 }, ['step']);
show('[6] Without the turn itself in its own baseline, differences are larger.', { leaveSelfOut: true }, ['step']);
const grpo = show('[7] GRPO has no step level: every turn of an episode is credited alike.', { estimator: 'grpo' }, [
  'advantage',
]);
const same = grpo.advantage[0] === grpo.advantage[2];
console.log(`  the first and the last turn of episode 1 have ${same ? 'the same' : 'different'} credit`);
