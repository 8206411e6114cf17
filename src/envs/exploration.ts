/**
 * Collecting the words of a world that does not list them: a few episodes are played at random, and every text that
 * turns up is read. An episode whose world fails ends there; it will be told of when it is played in earnest.
 */
import { ProxmoError } from '../base/errors.ts';
import { type Answer, isPromise } from './answer.ts';
import type { Environment, Task, TaskSet, Turn } from './environment.ts';
import { closeEnvironment, nonsense } from './faults.ts';
import { RandomStream } from './random.ts';
import { openingProblem, turnProblem } from './turns.ts';

/** An action that no environment has. */
export const nonsenseAction = 'xyzzy 4711 plugh';

/** What exploration needs of a task set. */
type Explorable = Pick<TaskSet, 'name' | 'tasks' | 'createEnvironment' | 'maxSteps'>;

/** Words and numbers of texts, each once, in alphabetical order. */
export function wordsOf(texts: Iterable<string>): string[] {
  const words = new Set<string>();
  for (const text of texts) for (const word of text.match(/[\p{L}\p{M}]+|\p{N}+/gu) ?? []) words.add(word);
  return [...words].sort();
}

/**
 * Words of the first `episodes` training tasks, played at random; for worlds in another process.
 * @throws {ProxmoError} `environment` if most episodes fail
 */
export async function exploreWords(taskSet: Explorable, episodes: number): Promise<string[]> {
  const exploration = explore(taskSet, episodes);
  let next = exploration.next();
  while (!next.done) {
    const answer = next.value;
    next = await Promise.resolve(answer).then(
      (turn) => exploration.next(turn),
      (error) => exploration.throw(error),
    );
  }
  return wordsOf(next.value);
}

/** The same for worlds that answer at once; null where one does not. */
export function exploreWordsNow(taskSet: Explorable, episodes: number): string[] | null {
  const exploration = explore(taskSet, episodes);
  let next = exploration.next();
  while (!next.done) {
    if (isPromise(next.value)) {
      next.value.catch(() => undefined);
      exploration.return(new Set());
      return null;
    }
    next = exploration.next(next.value);
  }
  return wordsOf(next.value);
}

/**
 * Plays at random, wrongly now and then, and gives every text seen. Answers of the world are handed out, to be handed
 * back once they are there.
 */
function* explore(taskSet: Explorable, episodes: number): Generator<Answer<Turn>, Set<string>, Turn> {
  const texts = new Set<string>();
  const random = new RandomStream(0);
  const tasks = taskSet.tasks('train', episodes, 0);
  let failures = 0;
  let environment: Environment | null = null;
  for (const task of tasks) {
    try {
      environment ??= taskSet.createEnvironment();
      yield* exploreEpisode(taskSet, environment, task, random, texts);
    } catch (error) {
      if (2 * ++failures > tasks.length) throw tooMany(taskSet.name, task, error);
      if (environment) void closeEnvironment(environment);
      environment = null;
    }
  }
  if (environment) void closeEnvironment(environment);
  return texts;
}

function tooMany(name: string, task: Task, error: unknown): ProxmoError {
  const said = error instanceof ProxmoError ? error.message : String(error);
  return new ProxmoError(
    'environment',
    `${name}: the words of its texts cannot be collected, as most episodes fail; the last one, in task ${task.id}: ${said}`,
    { cause: error },
  );
}

function* exploreEpisode(
  { name, maxSteps }: Explorable,
  environment: Environment,
  task: Task,
  random: RandomStream,
  texts: Set<string>,
): Generator<Answer<Turn>, void, Turn> {
  let turn = yield environment.reset(task);
  const opening = turn as Turn & { readonly instruction: string };
  const problem = openingProblem(opening);
  if (problem !== null) throw nonsense(name, problem, turn);
  texts.add(opening.instruction);
  for (let step = 0; step <= maxSteps; step++) {
    const { observation, admissibleActions, done } = turn;
    for (const text of [observation, ...(admissibleActions ?? [])]) texts.add(text);
    if (done || step === maxSteps || !admissibleActions?.length) break;
    turn = yield environment.step(random.below(8) > 0 ? random.pick(admissibleActions) : nonsenseAction);
    const found = turnProblem(turn);
    if (found !== null) throw nonsense(name, found, turn);
  }
}
