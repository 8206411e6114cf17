/** Explanations as text for a terminal. */
import { printableLine } from '../../base/printable.ts';
import type { ExplainedNeighbour } from '../../rl/credit/explain.ts';
import { isMixed, successesOf } from '../../rl/credit/mixed.ts';
import type { RecordedGroup, RecordedRow, RolloutIndex } from '../../rl/credit/record.ts';
import { shownValue } from '../../rl/credit/shownNumbers.ts';
import { formatTable, percent } from '../table.ts';
import { marked, meaningOfMarks } from '../turnMarks.ts';
import { numberedEpisodes, type ToldEpisode, type ToldStep } from './find.ts';

/** Longest text of an observation or a reply that is shown. */
const longestText = 2000;
/** Words of a difference that are shown, of those lost and of those gained. */
const shownWords = 8;
/** A share that is told: less is 0.0 % as it is shown. */
const leastShare = 0.0005;
/** Branches that are shown. */
const shownBranches = 8;

/**
 * The episodes of an iteration by their tasks, a line each.
 * @param malformed how many turns of an episode were, by its id
 */
export function describeEpisodes(index: RolloutIndex, malformed: ReadonlyMap<string, number>): string {
  const numbered = numberedEpisodes(index);
  const cells = numbered.map(({ number, episode }) => [
    String(number),
    episode.success ? 'succeeded' : 'failed',
    shownValue(episode.return),
    String(episode.steps),
    String(malformed.get(episode.id) ?? '-'),
  ]);
  const [header, ...lines] = formatTable([['episode', 'outcome', 'return', 'steps', 'malformed'], ...cells], 2).split(
    '\n',
  );
  const tasks = index.groups.map((group, place) =>
    [headOfGroup(group), ...lines.filter((_, line) => numbered[line]!.group === place)].join('\n'),
  );
  const mixed = index.groups.filter(isMixed).length;
  return [
    `iteration ${index.iteration}: in ${mixed} of ${index.groups.length} tasks the episodes earned differently`,
    header,
    ...tasks,
    'return: the sum of rewards. malformed: turns whose reply was, each of which costs advantages.invalidPenalty.\n--episode N explains the steps of one, --step M one step in full.',
  ].join('\n\n');
}

function headOfGroup(group: RecordedGroup): string {
  const { id, type, instruction, episodes, rows } = group;
  const kept = rows ? '' : '; rows not kept (rollouts.keep), so it cannot be explained';
  return `${printableLine(`${id} (${type}): ${clipped(instruction, 80)}`)} ${successesOf(group)} of ${episodes.length} succeeded${kept}`;
}

/** The steps of an episode, each with what its advantage is owed to. */
export function describeSteps(index: RolloutIndex, told: ToldEpisode): string {
  const steps = told.steps.map(
    ({ row, explanation }, step) => `${String(step + 1).padStart(3)}. ${actionOf(row)}\n     ${explanation.sentence}`,
  );
  return [headline(index, told), ...steps, ...meaningOfMarks(told.steps.map(({ row }) => row))].join('\n');
}

/** A step in full. */
export function describeStep(index: RolloutIndex, told: ToldEpisode, { row, explanation }: ToldStep): string {
  const place = `step ${told.steps.findIndex((step) => step.row === row) + 1} of ${told.steps.length}`;
  const parts = explanation.parts.map(({ level, arithmetic }) => `${level.padEnd(8)} ${arithmetic}`);
  return [
    `${headline(index, told)}\n${place}`,
    [
      `saw      ${clipped(row.observation, longestText)}`,
      `did      ${actionOf(row)}`,
      ...meaningOfMarks([row]).map((line) => `         ${line}`),
    ].join('\n'),
    explanation.sentence,
    parts.join('\n'),
    ...neighbourTable(index, explanation.neighbours),
    ...branchLines(row),
    tokenTable(row),
  ].join('\n\n');
}

function headline(index: RolloutIndex, { number, group, episode }: ToldEpisode): string {
  const outcome = episode.success ? 'succeeded' : 'failed';
  const task = `${group.id} (${group.type}): ${clipped(group.instruction, longestText)}`;
  return `iteration ${index.iteration}, episode ${number} (${episode.id}) ${outcome}, as ${successesOf(group)} of ${group.episodes.length} of its group succeeded\n${task}`;
}

function actionOf(row: RecordedRow): string {
  return `${clipped(row.valid ? row.action : row.reply.join(''), longestText)}${marked(row)}`;
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
  const header = ['similarity', 'weight', 'turns', 'mean return', 'as episode/step', 'differs in'];
  const rest = 1 - neighbours.reduce((sum, { weight }) => sum + weight, 0);
  const others = rest < leastShare ? '' : ` States that are less similar have the other ${percent(rest)}.`;
  return [
    `similar states, with their shares of the baseline\n${formatTable([header, ...rows])}\nweight: of all turns of a state together.${others} Steps count from 1 here, in files and --json from 0.`,
  ];
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
