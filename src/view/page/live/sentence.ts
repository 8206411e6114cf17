/** The one sentence on top of a run: what there is to know of it now, by rules, the most pressing first. */
import type { LiveProgress } from '../../../rl/liveProgress.ts';
import type { RunInfo } from '../../protocol.ts';
import { percent, plural } from '../ui/format.ts';

export interface Sentence {
  readonly tone: 'bad' | 'warn' | 'good' | 'plain';
  readonly text: string;
}

/** Figures of a run's metrics, by name; NaN where a record has none. */
export interface Figures {
  readonly kind: string;
  readonly iteration: number;
  readonly of: (name: string) => number;
}

/** How much of a group's episodes must be alike, or of replies cut, before it is worth a word. */
const many = { alike: 0.7, cut: 0.1, invalid: 0.3, mismatch: 0.01 } as const;

type Rule = (
  run: RunInfo,
  train: readonly Figures[],
  evaluations: readonly Figures[],
  progress: LiveProgress | null,
) => Sentence | null;

/** Of the rules, the first so many are of how any run stands. */
const howItStands = 3;

const rules: readonly Rule[] = [
  ({ state, dir }) =>
    state === 'waiting' ? plain(`Nothing is in ${dir} yet; it is shown as soon as training begins.`) : null,
  ({ state, note }) => (state === 'failed' ? { tone: 'bad', text: withoutTime(note) } : null),
  ({ state, dir, kind }, train, _, progress) =>
    state === 'ended'
      ? bad(
          `Nothing writes to this run, and it does not say why it ended: it crashed or was killed ${progress ? `in ${placeOf(progress)}, ${percent(progress.done, 0)} of which was done` : `after ${kind === 'sft' ? 'step' : 'iteration'} ${train.at(-1)?.iteration ?? 0}`}. proxmo ${kind} --resume ${dir} goes on with it.`,
        )
      : null,
  (_, train) => {
    const skipped = train.at(-1)?.of('skippedSteps') ?? 0;
    return skipped > 0
      ? bad(
          `${plural(skipped, 'optimiser step')} of the last iteration had numbers that are not finite, and was left out.`,
        )
      : null;
  },
  (_, train) => {
    const since = train.length - 1 - train.findLastIndex((each) => each.of('deadGroupShare') < 1);
    return since >= 2 ? bad(`No group had mixed outcomes for ${since} iterations: nothing to learn from.`) : null;
  },
  (_, train) => {
    const off = train.at(-1)?.of('samplerMismatch') ?? 0;
    return off > many.mismatch
      ? bad(
          `Sampler and trainer differ by ${off.toPrecision(2)} in a log-probability: what is trained is not what was played.`,
        )
      : null;
  },
  (_, train) => {
    const kl = train.map((each) => each.of('kl')).filter(Number.isFinite);
    const usual = median(kl.slice(-11, -1));
    const now = kl.at(-1) ?? 0;
    return kl.length > 5 && now > 0.05 && now > 4 * usual
      ? warn(
          `The KL jumped to ${now.toPrecision(2)} from about ${usual.toPrecision(2)}: the policy moves away fast; a lower learning rate may help.`,
        )
      : null;
  },
  (_, train) => {
    const [first, now] = [train[0]?.of('entropy') ?? 0, train.at(-1)?.of('entropy') ?? 0];
    return train.length > 5 && first > 0 && now < 0.1 * first
      ? warn(
          `Entropy fell from ${first.toPrecision(2)} to ${now.toPrecision(2)}: the policy hardly tries anything new.`,
        )
      : null;
  },
  (_, train) => {
    const last = train.at(-1);
    const share = last ? last.of('truncatedReplies') / last.of('steps') : 0;
    return share > many.cut
      ? warn(`${percent(share)} of the replies were cut at their most tokens: sampling.maxNewTokens may be too low.`)
      : null;
  },
  (_, train) => {
    const invalid = 1 - (train.at(-1)?.of('validShare') ?? 1);
    return invalid > many.invalid
      ? warn(`${percent(invalid)} of the replies were malformed, and each costs a penalty.`)
      : null;
  },
  (_, train) => {
    const last = train.at(-1);
    if (!last || !(last.of('deadGroupShare') > many.alike)) return null;
    const [groups, dead] = [last.of('groups'), Math.round(last.of('groups') * last.of('deadGroupShare'))];
    return warn(
      `In ${dead} of ${groups} groups all episodes ended alike, so only ${groups - dead} teach at the episode level.`,
    );
  },
  ({ state }, train, evaluations) => {
    const [first, last] = [evaluations[0], evaluations.at(-1)];
    if (!first || !last || first === last) return null;
    const [from, to] = [first.of('success'), last.of('success')];
    const change = `Held-out success ${state === 'running' ? 'has gone' : 'went'} from ${percent(from)} to ${percent(to)} in ${plural(train.length, 'iteration')}`;
    if (last.of('low') > first.of('high')) return { tone: 'good', text: `${change}: more than chance.` };
    if (last.of('high') < first.of('low')) return bad(`${change}: the policy got worse.`);
    return plain(`${change}; their intervals overlap, so it may be chance.`);
  },
  ({ state }, train, _, progress) =>
    state === 'running' && train.length === 0 && progress
      ? plain(`No iteration has ended yet: the run is in ${placeOf(progress)}.`)
      : null,
  (_, train) => {
    const last = train.at(-1);
    return last
      ? plain(`Iteration ${last.iteration}: ${percent(last.of('success'))} of its episodes succeeded.`)
      : null;
  },
];

/** Where a run is, as `the update of iteration 3`. */
function placeOf({ phase, iteration }: LiveProgress): string {
  if (phase === 'demonstrations') return 'the demonstrations for the warm start';
  if (phase === 'warm start') return 'the warm start';
  if (phase === 'fine-tuning') return `step ${iteration + 1}`;
  if (phase === 'evaluation')
    return iteration === 0 ? 'the first evaluation' : `the evaluation after iteration ${iteration}`;
  return `the ${phase} of iteration ${iteration + 1}`;
}

/** Those of a fine-tuning on chats: how it stands, and what its loss on held-out chats does. */
const tunedRules: readonly Rule[] = [
  ...rules.slice(0, howItStands),
  (_, train, evaluations) => {
    const losses = evaluations.map((each) => each.of('loss'));
    const [first, last, best] = [losses[0], losses.at(-1), Math.min(...losses)];
    if (first === undefined || last === undefined || losses.length < 2) return null;
    const change = `The held-out loss went from ${first.toFixed(3)} to ${last.toFixed(3)} nats a token in ${plural(train.at(-1)?.iteration ?? 0, 'step')}`;
    if (last > 1.02 * best)
      return warn(
        `${change}, and has been ${best.toFixed(3)}: the chats are learned by heart; fewer epochs may serve better.`,
      );
    return last < first ? { tone: 'good', text: `${change}.` } : plain(`${change}.`);
  },
  (_, train) => {
    const last = train.at(-1);
    return last ? plain(`Step ${last.iteration}: a loss of ${last.of('loss').toFixed(3)} nats a token.`) : null;
  },
  ({ state }) => (state === 'running' ? plain('No step has ended yet.') : null),
];

export function sentenceOf(run: RunInfo, records: readonly Figures[], progress: LiveProgress | null): Sentence {
  const train = records.filter(({ kind }) => kind === 'train');
  const evaluations = records.filter(({ kind }) => kind === 'eval');
  for (const rule of run.kind === 'sft' ? tunedRules : rules) {
    const sentence = rule(run, train, evaluations, progress);
    if (sentence) return sentence;
  }
  return plain(
    run.state === 'running'
      ? 'No iteration has ended yet.'
      : 'The run has ended, and has neither iterations nor evaluations.',
  );
}

const plain = (text: string): Sentence => ({ tone: 'plain', text });
const warn = (text: string): Sentence => ({ tone: 'warn', text });
const bad = (text: string): Sentence => ({ tone: 'bad', text });

function withoutTime(note: string | null): string {
  const text = (note ?? 'It ended by an error.').replace(/^\S+Z ended by an error: /, '');
  return `It ended by an error: ${text}`;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
