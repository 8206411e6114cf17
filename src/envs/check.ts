/**
 * Whether an environment keeps its contract (`environment.ts`): the checks that training relies on, each of which says
 * in one line what breaks. They play a few tasks, at random and by the rules, so a clean result is no proof; a finding
 * is.
 */
import { errorMessage, ProxmoError } from '../base/errors.ts';
import { matchAction } from '../text/actionFormat.ts';
import { WordTokenizer } from '../text/wordTokenizer.ts';
import {
  Broken,
  type Chooser,
  Observer,
  type Recording,
  recordingDifference,
  script,
  turnDifference,
  wander,
} from './checkPlay.ts';
import type { Split, Task, TaskSet } from './environment.ts';
import { nonsenseAction, wordsOf } from './exploration.ts';
import { splits } from './taskLists.ts';
import { taskProblem, taskSetProblem } from './turns.ts';

export interface CheckOptions {
  /** Seed of tasks and actions. Default 1. */
  readonly seed?: number;
  /** Tasks of each split that are played. Default 6. */
  readonly tasks?: number;
  /** Longest wait for an answer. Default 20. */
  readonly timeoutSeconds?: number;
}

/** What a check came to. */
export interface Finding {
  readonly check: string;
  readonly holds: boolean;
  /** What was seen, or what breaks. */
  readonly detail: string;
}

/** What `checkTaskSet` found in a task set. */
export interface CheckReport {
  readonly name: string;
  readonly holds: boolean;
  readonly steps: number;
  readonly findings: readonly Finding[];
}

/** Admissible actions of a turn that are tried one by one. */
const triedActions = 12;

/** Checks a task set and its environments. Never throws for what they do wrong. */
export async function checkTaskSet(taskSet: TaskSet, options: CheckOptions = {}): Promise<CheckReport> {
  const { seed = 1, tasks = 6, timeoutSeconds = 20 } = options;
  const observer = new Observer(taskSet, timeoutSeconds);
  const findings: Finding[] = [];
  const known = new Set<string>();
  const run = async (check: string, look: () => Promise<string | null> | string | null) => {
    const finding = await find(check, look, known);
    if (finding) findings.push(finding);
    return finding?.holds ?? true;
  };
  const report = () => ({
    name: String(taskSet?.name),
    holds: findings.every(({ holds }) => holds),
    steps: observer.steps,
    findings,
  });

  if (!(await run('task set', () => checkFacts(taskSet)))) return report();
  await run('tasks', () => checkTasks(taskSet, seed));
  const sample = sampleTasks(taskSet, tasks, seed);
  // Without a task there is nothing to play.
  if (sample.length === 0) return report();
  await run('turns', () => checkTurns(observer, sample, seed));
  await run('determinism', () => checkDeterminism(observer, sample, seed));
  await run('wrong actions', () => checkWrongActions(observer, sample));
  await run('admissible actions', () => checkAdmissibleActions(observer, sample));
  await run('end', () => checkEnd(observer, sample, seed));
  await run('expert', () => checkExpert(observer, sample));
  await run('solution', () => checkSolutions(observer, sample));
  await run('words', () => checkWords(observer, sample, seed));
  return report();
}

/**
 * Runs a check; null where it says that there is nothing to check, or fails for what another check has found already.
 */
async function find(
  check: string,
  look: () => Promise<string | null> | string | null,
  known: Set<string>,
): Promise<Finding | null> {
  try {
    const detail = await look();
    return detail === null ? null : { check, holds: true, detail };
  } catch (error) {
    const problem = error instanceof Broken ? error.problem : String(error);
    if (known.has(problem)) return null;
    known.add(problem);
    const detail = errorMessage(error).replace(/\s*\n\s*/g, ' ');
    return { check, holds: false, detail };
  }
}

function checkFacts(taskSet: TaskSet): string {
  const problem = taskSetProblem(taskSet);
  if (problem !== null) throw new Broken(problem);
  return `${taskSet.name}: ${taskSet.types.length} task types, at most ${taskSet.maxSteps} steps`;
}

/** A few tasks of each split, each once. */
function sampleTasks(taskSet: TaskSet, count: number, seed: number): Task[] {
  const byId = new Map<string, Task>();
  for (const split of splits) for (const task of someTasks(taskSet, split, count, seed)) byId.set(task.id, task);
  return [...byId.values()];
}

/**
 * Up to `most` tasks: fewer where the split has fewer. A split that cannot be asked has none here; the check of tasks
 * tells why.
 */
function someTasks(taskSet: TaskSet, split: Split, most: number, seed: number): readonly Task[] {
  for (let count = most; count >= 1; count = Math.floor(count / 2)) {
    try {
      return taskSet.tasks(split, count, seed);
    } catch {}
  }
  return [];
}

function checkTasks(taskSet: TaskSet, seed: number): string {
  const found: string[] = [];
  const idsOf = (tasks: readonly Task[]) => tasks.map(({ id }) => id);
  const bySplit = new Map<Split, readonly string[]>();
  for (const split of splits) {
    const some = someTasks(taskSet, split, 64, seed);
    if (some.length === 0)
      throw new Broken(`the ${split} split gives not even one task${whyNone(taskSet, split, seed)}`);
    const tasks = taskSet.allTasks?.(split) ?? some;
    const wrong = [...some, ...tasks]
      .map((task) => taskProblem(task, taskSet.types))
      .find((problem) => problem !== null);
    if (wrong) throw new Broken(wrong, `${split} split`);
    for (const list of [some, tasks]) {
      const repeated = firstRepeated(idsOf(list));
      if (repeated !== null) throw new Broken(`task ${repeated} is handed out twice`, `${split} split`);
    }
    if (idsOf(taskSet.tasks(split, some.length, seed)).join('\n') !== idsOf(some).join('\n'))
      throw new Broken('the same seed gives other tasks the second time', `${split} split`);
    if (some.length > 8 && idsOf(taskSet.tasks(split, some.length, seed + 1)).join('\n') === idsOf(some).join('\n'))
      throw new Broken('another seed gives the same tasks in the same order', `${split} split`);
    const all = new Set(idsOf(tasks));
    const stray = taskSet.allTasks && idsOf(some).find((id) => !all.has(id));
    if (stray) throw new Broken(`task ${stray} is handed out, but is not among all tasks`, `${split} split`);
    bySplit.set(split, idsOf(tasks));
    found.push(`${split} ${taskSet.allTasks ? tasks.length : 'on demand'}`);
  }
  const train = new Set(bySplit.get('train'));
  for (const split of ['seen', 'unseen'] as const) {
    const leaked = bySplit.get(split)!.find((id) => train.has(id));
    if (leaked !== undefined)
      throw new Broken(`task ${leaked} is in the train split and held out in the ${split} split`);
  }
  checkShortage(taskSet);
  return found.join(', ');
}

/** Why a split does not give even one task, behind a colon, where it says so. */
function whyNone(taskSet: TaskSet, split: Split, seed: number): string {
  try {
    taskSet.tasks(split, 1, seed);
    return '';
  } catch (error) {
    return `: ${errorMessage(error)}`;
  }
}

function firstRepeated(names: readonly string[]): string | null {
  const seen = new Set<string>();
  return names.find((name) => seen.size === seen.add(name).size) ?? null;
}

/** Asking for more than there is must say so, as tasks that come twice would count twice. */
function checkShortage(taskSet: TaskSet): void {
  const count = taskSet.allTasks ? taskSet.allTasks('train').length + 1 : null;
  if (count === null) return;
  try {
    taskSet.tasks('train', count, 0);
  } catch (error) {
    // Not instanceof: a user's module may have a copy of the class of its own.
    if (error instanceof Error && error.name === ProxmoError.name) return;
    throw new Broken(
      `tasks('train', ${count}) is more than there are, and throws something else than a ProxmoError: ${String(error)}`,
    );
  }
  throw new Broken(`tasks('train', ${count}) is more than there are, and does not throw`);
}

async function checkTurns(observer: Observer, sample: readonly Task[], seed: number): Promise<string> {
  let turns = 0;
  await observer.withEnvironment(async (environment) => {
    for (const task of sample) turns += (await observer.play(environment, task, wander(task, seed))).turns.length;
  });
  return `${turns} turns of ${sample.length} tasks are well-formed`;
}

/** Two environments, played turn and turn about, and one that played other tasks before. */
async function checkDeterminism(observer: Observer, sample: readonly Task[], seed: number): Promise<string> {
  const record = (task: Task) =>
    observer.withEnvironment((environment) => observer.play(environment, task, wander(task, seed)));
  const [first, second] = [sample[0]!, sample.at(-1)!];
  const [alone, other] = [await record(first), await record(second)];
  const together = await Promise.all([record(first), record(second)]);
  for (const [index, recording] of [alone, other].entries()) {
    const difference = recordingDifference(recording, together[index]!);
    if (difference !== null)
      throw new Broken(`task ${recording.task.id} plays differently beside another environment: ${difference}`);
  }
  await observer.withEnvironment(async (used) => {
    for (const task of sample) {
      const fresh = await record(task);
      const again = await observer.play(used, task, script(fresh.actions));
      const difference = recordingDifference(fresh, again);
      if (difference !== null) throw new Broken(`task ${task.id} with the same actions, ${difference}`);
    }
  });
  return `${sample.length} tasks play alike in two environments`;
}

async function checkWrongActions(observer: Observer, sample: readonly Task[]): Promise<string> {
  await observer.withEnvironment(async (environment) => {
    for (const task of sample) {
      const before = await observer.open(environment, task);
      for (const action of [nonsenseAction, '', '  ', 'ünïcödé 🙂 "\'\\\n']) {
        const after = await observer.step(environment, action, `task ${task.id}`);
        if (after.success) throw new Broken(`the action "${action}" accomplishes it`, `task ${task.id}`);
        if (after.reward > 0)
          throw new Broken(`the action "${action}" is rewarded with ${after.reward}`, `task ${task.id}`);
        if (after.done) break;
        const [listed, unchanged] = [JSON.stringify(before.admissibleActions), JSON.stringify(after.admissibleActions)];
        if (before.admissibleActions !== null && listed !== unchanged)
          throw new Broken(
            `the action "${action}", which is not admissible, changes the admissible actions`,
            `task ${task.id}`,
          );
      }
    }
  });
  return 'actions that are not admissible change nothing';
}

async function checkAdmissibleActions(observer: Observer, sample: readonly Task[]): Promise<string | null> {
  let tried = 0;
  await observer.withEnvironment(async (environment) => {
    for (const task of sample) {
      const first = await observer.open(environment, task);
      const { admissibleActions } = first;
      if (admissibleActions === null) continue;
      if (admissibleActions.length === 0) throw new Broken('no action is admissible at the start', `task ${task.id}`);
      const repeated = firstRepeated(admissibleActions);
      if (repeated !== null) throw new Broken(`"${repeated}" is listed twice`, `task ${task.id}`);
      const refusal = await observer.step(environment, nonsenseAction, `task ${task.id}`);
      let accepted = 0;
      const actions = admissibleActions.slice(0, triedActions);
      for (const action of actions) {
        await observer.open(environment, task);
        const turn = await observer.step(environment, action, `task ${task.id}`);
        if (turnDifference(turn, refusal) !== null) accepted++;
      }
      tried += actions.length;
      // One action may do nothing that is seen, but if all are turned down in words, the list is not what the
      // environment understands.
      if (accepted === 0 && refusal.observation !== first.observation)
        throw new Broken(
          `task ${task.id}: every listed action is refused like one that does not exist: ${refusal.observation.slice(0, 80)}`,
        );
    }
  });
  return tried === 0 ? null : `${tried} listed actions can be taken`;
}

async function checkEnd(observer: Observer, sample: readonly Task[], seed: number): Promise<string> {
  const { maxSteps } = observer.taskSet;
  let longest = 0;
  await observer.withEnvironment(async (environment) => {
    for (const [index, task] of sample.entries()) {
      // The first one idles until time is up.
      const { turns } = await observer.play(environment, task, index === 0 ? () => nonsenseAction : wander(task, seed));
      const last = turns.at(-1)!;
      longest = Math.max(longest, turns.length - 1);
      if (!last.done) throw new Broken(`task ${task.id} is not done after maxSteps (${maxSteps}) steps`);
      for (const action of [nonsenseAction, last.admissibleActions?.[0] ?? 'look']) {
        const difference = turnDifference(
          last,
          await observer.step(environment, action, `task ${task.id}, after its end`),
        );
        if (difference !== null)
          throw new Broken(`a step after the end does not return the last turn: ${difference}`, `task ${task.id}`);
      }
    }
  });
  return `episodes end within ${maxSteps} steps (longest ${longest}) and stay ended`;
}

/** An expert that fails more often than not teaches nothing. */
async function checkExpert(observer: Observer, sample: readonly Task[]): Promise<string | null> {
  const { taskSet } = observer;
  if (!taskSet.createExpert) return null;
  const expert = taskSet.createExpert();
  let successes = 0;
  await observer.withEnvironment(async (environment) => {
    for (const task of sample) {
      const { turns } = await observer.play(environment, task, (turn, step) => {
        if (step === 0) expert.reset(instructionOf(turn));
        const action = expert.act(turn);
        if (typeof action !== 'string')
          throw new Broken(`the expert's action is ${String(action)}`, `task ${task.id}, step ${step + 1}`);
        return matchAction(action, turn.admissibleActions) ?? action;
      });
      if (turns.at(-1)!.success) successes++;
    }
  });
  const result = `the expert accomplishes ${successes} of ${sample.length} tasks`;
  if (2 * successes < sample.length) throw new Broken(result);
  return result;
}

function instructionOf(turn: object): string {
  return (turn as { readonly instruction: string }).instruction;
}

async function checkSolutions(observer: Observer, sample: readonly Task[]): Promise<string | null> {
  const { taskSet } = observer;
  const solved = sample.flatMap((task) => {
    const actions = taskSet.solution?.(task) ?? null;
    return actions === null ? [] : [{ task, actions }];
  });
  if (solved.length === 0) return null;
  await observer.withEnvironment(async (environment) => {
    for (const { task, actions } of solved) {
      const recited: Chooser = ({ admissibleActions }, step) =>
        actions[step] === undefined ? null : (matchAction(actions[step], admissibleActions) ?? actions[step]);
      const { turns } = await observer.play(environment, task, recited);
      if (!turns.at(-1)!.success)
        throw new Broken(`its solution of ${actions.length} actions does not accomplish it`, `task ${task.id}`);
    }
  });
  return `${solved.length} solutions accomplish their tasks`;
}

async function checkWords(observer: Observer, sample: readonly Task[], seed: number): Promise<string | null> {
  const words = observer.taskSet.words?.();
  if (!words || words.length === 0) return null;
  const recordings: Recording[] = [];
  await observer.withEnvironment(async (environment) => {
    for (const task of sample) recordings.push(await observer.play(environment, task, wander(task, seed)));
  });
  const texts = recordings.flatMap(({ instruction, turns }) => [
    instruction,
    ...turns.flatMap(({ observation, admissibleActions }) => [observation, ...(admissibleActions ?? [])]),
  ]);
  const missing = spelledWords(words, texts);
  if (missing.length > 0) {
    const examples = missing.slice(0, 6).join(', ');
    throw new Broken(
      `words() lacks ${missing.length === 1 ? '1 word that turns up' : `${missing.length} words that turn up`}, ${missing.length > 6 ? 'among them ' : ''}${examples}; they would be spelled byte by byte`,
    );
  }
  return `${words.length} words cover every text, but perhaps for numbers`;
}

/**
 * Words of the texts that a tokenizer of these words spells byte by byte, each once. Numbers have no end, and rare
 * marks and kinds of white space no place on a list of words; spelled, they are still read.
 */
function spelledWords(words: readonly string[], texts: readonly string[]): string[] {
  const tokenizer = WordTokenizer.build(words);
  // Without words, the last ids are those of the bytes.
  const firstWordId = WordTokenizer.build([]).vocabSize;
  const isByte = (id: number) => id >= firstWordId - 256 && id < firstWordId;
  const spelled = new Set<string>();
  for (const text of texts) {
    let run: number[] = [];
    // The end token is no byte, so it ends the last run.
    for (const id of [...tokenizer.encode(text), tokenizer.endId]) {
      if (isByte(id)) run.push(id);
      else {
        for (const word of wordsOf([tokenizer.decode(run)])) if (/\p{L}/u.test(word)) spelled.add(word);
        run = [];
      }
    }
  }
  return [...spelled].sort();
}
