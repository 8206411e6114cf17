/**
 * Environments of users, called under guard. What their code throws, at once or by a promise, is told as theirs, with
 * its place in their file. What it gives is looked at, so that a slip does not come up as an error somewhere else.
 */
import { type ErrorCode, ProxmoError } from '../base/errors.ts';
import type { PagePart, PointerStyle } from '../text/pointers.ts';
import { type Answer, isPromise } from './answer.ts';
import type { Environment, Expert, TaskSet } from './environment.ts';
import { show } from './turns.ts';

/** A module of a user. */
export class ModuleCode {
  /**
   * @param url of the file, as it stands in stack traces
   * @param code of the errors that tell of its faults
   */
  constructor(
    readonly file: string,
    private readonly url: string,
    private readonly code: ErrorCode = 'environment',
  ) {}

  /**
   * Calls the module's code, and hands on what it gives.
   * @param what is called, as `step("look")`
   * @throws {ProxmoError} with the module's code if it throws or, by the promise, rejects
   */
  run<T>(what: string, call: () => Answer<T>): Answer<T> {
    try {
      const answer = call();
      if (!isPromise(answer)) return answer;
      return Promise.resolve(answer).catch((error) => {
        throw this.blame(what, error);
      });
    } catch (error) {
      throw this.blame(what, error);
    }
  }

  /** As `run`, for what must be there at once, and be of the right kind. */
  get<T>(what: string, call: () => unknown, read: (value: unknown) => T | Wrong): T {
    const value = this.run(what, call);
    const result = read(value);
    if (!(result instanceof Wrong)) return result;
    const given = isPromise(value) ? 'a promise' : show(value);
    throw new ProxmoError(this.code, `${this.file}: ${what} gives ${given}, not ${result.wanted}.`);
  }

  /** What the module's code has thrown, as an error that tells so. */
  blame(what: string, error: unknown): ProxmoError {
    if (error instanceof ProxmoError) return error;
    // A module may have a copy of the class of its own.
    const isWorded = error instanceof Error && error.name === ProxmoError.name;
    const said = isWorded ? error.message : error instanceof Error ? String(error) : `it threw ${show(error)}`;
    const message = `${this.file}${this.placeOf(error)}: ${what} failed: ${said}`;
    return new ProxmoError(this.code, message.replace(/\s*\n\s*/g, ' '), { cause: error });
  }

  /** Line and column in the file where an error arose, as `:12:5`; nothing where that is not known. */
  placeOf(error: unknown): string {
    const stack = error instanceof Error ? (error.stack ?? '') : '';
    for (const line of stack.split('\n')) {
      for (const name of [this.url, this.file]) {
        const at = line.indexOf(`${name}:`);
        const place = at < 0 ? null : /^(:\d+)+/.exec(line.slice(at + name.length));
        if (place) return place[0];
      }
    }
    return '';
  }
}

/** What a value should have been. */
class Wrong {
  constructor(readonly wanted: string) {}
}

/** A task set whose code, and that of all that it makes, is called under guard. */
export function guardTaskSet(set: TaskSet, code: ModuleCode): TaskSet {
  const { thinkAction } = set;
  const experts = (name: 'createExpert' | 'createDemonstrator') =>
    set[name] &&
    (() =>
      guardExpert(
        code.get(`${name}()`, () => set[name]!(), asExpert),
        code,
      ));
  const guarded = {
    name: set.name,
    types: set.types,
    maxSteps: set.maxSteps,
    tasks: (split, count, seed) =>
      code.get(
        `tasks("${split}", ${count}, ${seed})`,
        () => set.tasks(split, count, seed),
        (value) => asList(value, 'a list of tasks', count),
      ),
    allTasks:
      set.allTasks &&
      ((split) =>
        code.get(
          `allTasks("${split}")`,
          () => set.allTasks!(split),
          (value) => asList(value, 'a list of tasks'),
        )),
    createEnvironment: () =>
      guardEnvironment(
        code.get('createEnvironment()', () => set.createEnvironment(), asEnvironment),
        code,
      ),
    createExpert: experts('createExpert'),
    createDemonstrator: experts('createDemonstrator'),
    solution:
      set.solution &&
      ((task) =>
        code.get(
          `solution of task ${task.id}`,
          () => set.solution!(task),
          (value) => (value === null ? null : asTexts(value, 'a list of actions, nor null')),
        )),
    pointers: set.pointers && guardPointers(set.pointers, code),
    thinkAction: thinkAction && {
      ...thinkAction,
      message: (input) =>
        code.get(
          'thinkAction.message',
          () => thinkAction.message(input),
          (value) => (typeof value === 'string' ? value : new Wrong('text')),
        ),
    },
    words:
      set.words &&
      (() =>
        code.get(
          'words()',
          () => set.words!(),
          (value) => asTexts(value, 'a list of words'),
        )),
    interchangeableWords:
      set.interchangeableWords &&
      (() =>
        code.get(
          'interchangeableWords()',
          () => set.interchangeableWords!(),
          (value) => asLists(value, 'lists of words'),
        )),
    close: set.close && (() => code.run('close()', () => set.close!())),
  } satisfies { readonly [K in keyof Required<TaskSet>]: TaskSet[K] | undefined };
  return Object.fromEntries(Object.entries(guarded).filter(([, member]) => member !== undefined)) as unknown as TaskSet;
}

function guardPointers(style: PointerStyle, code: ModuleCode): PointerStyle {
  return {
    words: code.get(
      'pointers.words',
      () => style.words,
      (value) => asTexts(value, 'a list of words'),
    ),
    parts: (observation, offered) => code.get('pointers.parts', () => style.parts(observation, offered), asParts),
  };
}

function guardEnvironment(environment: Environment, code: ModuleCode): Environment {
  return {
    reset: (task) => code.run('reset', () => environment.reset(task)),
    step: (action) => code.run(`step(${show(action)})`, () => environment.step(action)),
    ...(environment.close && { close: () => code.run('close()', () => environment.close!()) }),
  };
}

function guardExpert(expert: Expert, code: ModuleCode): Expert {
  return {
    reset: (instruction) => code.run("the expert's reset", () => expert.reset(instruction)),
    act: (turn, taken) =>
      code.get(
        "the expert's act",
        () => expert.act(turn, taken),
        (action) => (typeof action === 'string' || expert.done ? String(action) : new Wrong('an action')),
      ),
    get done() {
      return expert.done ?? false;
    },
  };
}

/** The members of anything that can be gone through, up to so many. */
function asList(value: unknown, wanted: string, most = Number.POSITIVE_INFINITY): readonly never[] | Wrong {
  if (Array.isArray(value)) return value as never[];
  if (typeof value !== 'object' || value === null || !(Symbol.iterator in value)) return new Wrong(wanted);
  const members: never[] = [];
  for (const member of value as Iterable<never>) {
    if (members.length >= most) break;
    members.push(member);
  }
  return members;
}

function asTexts(value: unknown, wanted: string): readonly string[] | Wrong {
  const list = asList(value, wanted);
  return list instanceof Wrong || list.every((member) => typeof member === 'string') ? list : new Wrong(wanted);
}

function asParts(value: unknown): readonly PagePart[] | Wrong {
  const wanted = 'a list of parts, each with its text';
  const parts = asList(value, wanted);
  const isPart = (part: Partial<PagePart> | null) => typeof part?.text === 'string';
  return parts instanceof Wrong || parts.every(isPart) ? parts : new Wrong(wanted);
}

function asLists(value: unknown, wanted: string): readonly (readonly string[])[] | Wrong {
  const lists = asList(value, wanted);
  return lists instanceof Wrong || lists.every((list) => !(asTexts(list, wanted) instanceof Wrong))
    ? lists
    : new Wrong(wanted);
}

function asEnvironment(value: unknown): Environment | Wrong {
  return has(value, ['reset', 'step']) ? (value as Environment) : new Wrong('an environment, with reset and step');
}

function asExpert(value: unknown): Expert | Wrong {
  return has(value, ['reset', 'act']) ? (value as Expert) : new Wrong('a player, with reset and act');
}

function has(value: unknown, methods: readonly string[]): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    methods.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
  );
}
