/** Explanations as text for a terminal. */
import type { ExplainedNeighbour } from '../../rl/credit/explain.ts';
import type { RecordedRow, RolloutIndex } from '../../rl/credit/record.ts';
import { shownValue } from '../../rl/credit/shownNumbers.ts';
import { formatTable, percent } from '../table.ts';
import { numberedEpisodes, type ToldEpisode, type ToldStep } from './find.ts';

/** Longest text of an observation or a reply that is shown. */
const longestText = 2000;
/** Words of a difference that are shown, of those lost and of those gained. */
const shownWords = 8;
/** Branches that are shown. */
const shownBranches = 8;

/** The episodes of an iteration, a line each. */
export function describeEpisodes(index: RolloutIndex): string {
  const rows = numberedEpisodes(index).map(({ number, group, episode }) => {
    const { type, instruction, rows: kept } = index.groups[group]!;
    return [
      String(number),
      episode.success ? 'succeeded' : 'failed',
      shownValue(episode.return),
      String(episode.steps),
      kept ? 'yes' : 'no',
      `${type}: ${clipped(instruction, 80)}`,
    ];
  });
  const table = formatTable([['episode', 'outcome', 'return', 'steps', 'kept', 'task'], ...rows]);
  return `iteration ${index.iteration}\n\n${table}\n\n--episode N explains the steps of one, --step M one step in full.`;
}

/** The steps of an episode, each with what its advantage is owed to. */
export function describeSteps(index: RolloutIndex, told: ToldEpisode): string {
  const steps = told.steps.map(
    ({ row, explanation }, step) => `${String(step + 1).padStart(3)}. ${actionOf(row)}\n     ${explanation.sentence}`,
  );
  return [headline(index, told), ...steps].join('\n');
}

/** A step in full. */
export function describeStep(index: RolloutIndex, told: ToldEpisode, { row, explanation }: ToldStep): string {
  const place = `step ${told.steps.findIndex((step) => step.row === row) + 1} of ${told.steps.length}`;
  const parts = explanation.parts.map(({ level, arithmetic }) => `${level.padEnd(8)} ${arithmetic}`);
  return [
    `${headline(index, told)}\n${place}`,
    `saw      ${clipped(row.observation, longestText)}\ndid      ${actionOf(row)}`,
    explanation.sentence,
    parts.join('\n'),
    ...neighbourTable(index, explanation.neighbours),
    ...branchLines(row),
    tokenTable(row),
  ].join('\n\n');
}

function headline(index: RolloutIndex, { number, group, episode }: ToldEpisode): string {
  const outcome = episode.success ? 'succeeded' : 'failed';
  const successes = group.episodes.filter(({ success }) => success).length;
  const task = `${group.type}: ${clipped(group.instruction, longestText)}`;
  return `iteration ${index.iteration}, episode ${number} (${episode.id}) ${outcome}, as ${successes} of ${group.episodes.length} of its group succeeded\n${task}`;
}

function actionOf({ action, valid, reply }: RecordedRow): string {
  const shown = clipped(valid ? action : reply.join(''), longestText);
  return valid ? shown : `${shown}  [not admissible]`;
}

function neighbourTable(index: RolloutIndex, neighbours: readonly ExplainedNeighbour[]): string[] {
  if (neighbours.length === 0) return [];
  const numberOf = new Map(numberedEpisodes(index).map(({ number, episode }) => [episode.id, number]));
  const rows = neighbours.map((each) => [
    each.similarity === null ? '-' : each.similarity.toFixed(3),
    percent(each.weight),
    String(each.turns),
    shownValue(each.return),
    `${numberOf.get(each.trajectory) ?? each.trajectory}/${each.step + 1}`,
    differenceOf(each),
  ]);
  const table = formatTable([['similarity', 'weight', 'turns', 'return', 'as episode/step', 'differs in'], ...rows]);
  return [`similar states, with their shares of the baseline\n${table}`];
}

function differenceOf({ isOwn, difference }: ExplainedNeighbour): string {
  if (isOwn) return 'nothing: the same state';
  if (difference === null) return 'not kept';
  const words = (sign: string, all: readonly string[]) => [
    ...all.slice(0, shownWords).map((word) => `${sign}${clipped(word, 40)}`),
    ...(all.length > shownWords ? [`${sign}${all.length - shownWords} more`] : []),
  ];
  const shown = [...words('-', difference.lost), ...words('+', difference.gained)].join(' ');
  return shown === '' ? 'the order of its words' : shown;
}

/** How likely the actions on offer were, where the reply was bound to them. */
function branchLines({ actions, branches }: RecordedRow): string[] {
  if (actions === null || branches === null) return [];
  const likeliest = branches.toSorted((a, b) => b.probability - a.probability);
  const lines = likeliest.slice(0, shownBranches).map((branch) => {
    const names = branch.actions.map((action) => clipped(actions[action] ?? '', 60));
    const more = names.length > 3 ? `, or ${names.length - 3} more` : '';
    return `${percent(branch.probability).padStart(8)}  ${names.slice(0, 3).join(', or ')}${more}`;
  });
  const rest = branches.length > shownBranches ? [`          and ${branches.length - shownBranches} less likely`] : [];
  return [['it would have taken', ...lines, ...rest].join('\n')];
}

function tokenTable({ reply, logProbs, referenceLogProbs, kl }: RecordedRow): string {
  const numbers = (all: readonly number[]) => all.map((value) => value.toFixed(3));
  const rows = [
    ['token', ...reply.map((text) => clipped(text.trim(), 24))],
    ['log-probability', ...numbers(logProbs)],
    ...(referenceLogProbs ? [['of the reference', ...numbers(referenceLogProbs)]] : []),
  ];
  // A reply of many tokens is a list, not a table as wide as it is long.
  const table =
    reply.length <= 12 ? formatTable(rows) : formatTable(rows[0]!.map((_, column) => rows.map((row) => row[column]!)));
  return kl === null ? table : `${table}\nKL to the reference ${shownValue(kl)} a token`;
}

function clipped(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}
