/**
 * Collecting the words of a world that does not list them: a few episodes are played at random, and every text that
 * turns up is read.
 */
import { type Answer, isPromise } from './answer.ts';
import type { TaskSet, Turn } from './environment.ts';
import { RandomStream } from './random.ts';

/** An action that no environment has. */
export const nonsense = 'xyzzy 4711 plugh';

/** What exploration needs of a task set. */
type Explorable = Pick<TaskSet, 'tasks' | 'createEnvironment' | 'maxSteps'>;

/** Words and numbers of texts, each once, in alphabetical order. */
export function wordsOf(texts: Iterable<string>): string[] {
  const words = new Set<string>();
  for (const text of texts) for (const word of text.match(/[\p{L}\p{M}]+|\p{N}+/gu) ?? []) words.add(word);
  return [...words].sort();
}

/** Words of the first `episodes` training tasks, played at random; for worlds in another process. */
export async function exploreWords(taskSet: Explorable, episodes: number): Promise<string[]> {
  const exploration = explore(taskSet, episodes);
  let next = exploration.next();
  while (!next.done) next = exploration.next(await next.value);
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
  const environment = taskSet.createEnvironment();
  try {
    for (const task of taskSet.tasks('train', episodes, 0)) {
      let turn = yield environment.reset(task);
      texts.add((turn as Turn & { readonly instruction: string }).instruction);
      for (let step = 0; step <= taskSet.maxSteps; step++) {
        const { observation, admissibleActions, done } = turn;
        for (const text of [observation, ...(admissibleActions ?? [])]) texts.add(text);
        if (done || step === taskSet.maxSteps || !admissibleActions?.length) break;
        turn = yield environment.step(random.below(8) > 0 ? random.pick(admissibleActions) : nonsense);
      }
    }
  } finally {
    const closing = environment.close?.();
    if (closing) closing.catch(() => undefined);
  }
  return texts;
}
