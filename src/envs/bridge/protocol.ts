/**
 * The process protocol: an environment in a program of its own, in any language. The program reads requests from
 * standard input and writes one answer to standard output for each, as JSON, one object a line, in UTF-8. Requests may
 * be answered in any order.
 *
 *   request  {"id": 7, "method": "step", "params": {"episode": "e3", "action": "open door"}}
 *   answer   {"id": 7, "result": {"observation": "it is open.", "admissibleActions": ["look"]}}
 *   failure  {"id": 7, "error": "there is no episode e3"}
 *
 * | method  | params                 | result                                                                                      |
 * |---------|------------------------|---------------------------------------------------------------------------------------------|
 * | `hello` | `protocol`, `options`  | `name`, `types`, `maxSteps`; perhaps `words`, and `parallel`: episodes it can host at once    |
 * | `tasks` | `split`, `count`, `seed` | `tasks`: up to `count` tasks of the split (`train`, `seen`, `unseen`), each with `id` and `type` |
 * | `reset` | `episode`, `task`      | the first turn, with `instruction`; starts the episode of that name, or starts it again        |
 * | `step`  | `episode`, `action`    | the next turn                                                                               |
 * | `close` | `episode`              | `{}`; the episode is over                                                                   |
 *
 * A turn has `observation`, and where they are not as usual: `admissibleActions` (a list, or null where any text may be
 * tried; null), `reward` (0), `done` (false), `success` (false; true only where done), `score` (partial credit from 0
 * to 1, where done) and `components` (what it consists of). A task may have any further fields; it comes back in
 * `reset` as it was given. `hello` is asked first, once in each process; `options` are the configured ones. After
 * `done`, nothing more is asked of an episode but `close`.
 *
 * One process plays one episode at a time, so as many processes run as there are episodes in a batch; a program that
 * says `parallel: 16` gets up to 16 episodes, told apart by name. The program should end when its input does. Whatever
 * it has to say besides goes to standard error.
 */
import * as z from 'zod';
import type { Turn } from '../environment.ts';

export const protocolVersion = 1;

/** Longest line that is read, in characters. */
export const longestLine = 1 << 24;

const text = z.string();
const name = text.min(1);

export const answerSchema = z.union([
  z.strictObject({ id: z.int(), result: z.unknown() }),
  z.strictObject({ id: z.int(), error: text }),
]);

export const helloSchema = z.object({
  name,
  types: z.array(name).min(1),
  maxSteps: z.int().min(1),
  words: z.array(text).optional(),
  parallel: z.int().min(1).default(1),
});
export type Hello = z.output<typeof helloSchema>;

export const tasksSchema = z.object({ tasks: z.array(z.looseObject({ id: name, type: name })) });

const turnShape = {
  observation: text,
  admissibleActions: z.array(name).nullable().default(null),
  reward: z.number().default(0),
  done: z.boolean().default(false),
  success: z.boolean().default(false),
  score: z.number().min(0).max(1).optional(),
  components: z.record(text, z.number()).optional(),
};
/** Strict, so that a misspelt `success` is no silent failure. */
export const turnSchema = z.strictObject(turnShape);
export const openingSchema = z.strictObject({ ...turnShape, instruction: name });

/** A turn as the interface has it, without the keys that were left out. */
export function toTurn({ score, components, ...turn }: z.output<typeof turnSchema>): Turn {
  return { ...turn, ...(score === undefined ? {} : { score }), ...(components === undefined ? {} : { components }) };
}
