/**
 * What AgentGym's environment servers say (arXiv 2406.04151), in one form. They agree on their addresses and differ in
 * the rest:
 *
 * | address                  | household, crafting, science, games                                | shopping, databases, tools             |
 * |--------------------------|--------------------------------------------------------------------|----------------------------------------|
 * | `POST /create`           | `{"id": 3}`                                                        | `3`                                    |
 * | `POST /reset`            | `id` and `game`, `data_idx` or `seed`; `{"observation": …}`        | `env_idx` and `session_id` or `item_id`; `["…", null]` or `"…"` |
 * | `POST /step`             | `id`, `action`; `{"observation", "reward", "done"}`, perhaps `available_actions`, `score` | `env_idx`, `action`; `{"state", "reward", "done"}` |
 * | `GET /observation`       | text                                                               | text                                   |
 * | `GET /available_actions` | a list, where there is one                                         | `{"has_search_bar", "clickables"}`     |
 *
 * A failure is `{"error": "…"}`, with status 200. Some servers write the list of actions behind the observation; it is
 * taken from there.
 */
import { ProxmoError } from '../../base/errors.ts';

/** The number of an environment on its server, and the key under which the server wants it back. */
export interface ServerId {
  readonly key: string;
  readonly id: number | string;
}

/** What a server says of a turn; null for what it does not say. */
export interface ServerTurn {
  readonly observation: string | null;
  readonly actions: readonly string[] | null;
  readonly reward: number | null;
  readonly score: number | null;
  readonly done: boolean | null;
  readonly success: boolean | null;
  readonly instruction: string | null;
}

const idKeys = ['id', 'env_idx', 'env_id'];
const instructionKeys = ['instruction', 'instruction_text', 'task_description', 'goal'];
/** How first observations state the task. */
const instructionPatterns = [
  /Your task is to: ([^\n]+)/,
  /Instruction:\s*(?:\[SEP\]\s*)?(.+?)\s*(?:\[SEP\]|\n|$)/,
  /[Gg]oal: ([^\n]+)/,
];
const writtenActions = /\s*Available actions: \[(.*)\]\s*$/is;

/** Reads the answer to `/create`. @throws {ProxmoError} `environment` if there is no id in it */
export function readCreated(json: unknown): ServerId {
  if (isId(json)) return { key: 'env_idx', id: json };
  const key = idKeys.find((candidate) => isId(field(json, candidate)));
  if (key === undefined) throw new ProxmoError('environment', `there is no id in ${show(json)}.`);
  return { key, id: field(json, key) as number | string };
}

/**
 * Reads the answer to `/reset` or `/step`.
 * @throws {ProxmoError} `environment` if something in it is not what its name says
 */
export function readTurn(json: unknown): ServerTurn {
  const body =
    typeof json === 'string' ? { observation: json } : Array.isArray(json) ? { observation: json[0] ?? null } : json;
  if (typeof body !== 'object' || body === null) throw new ProxmoError('environment', `${show(json)} is no turn.`);
  const told = checked(field(body, 'observation') ?? field(body, 'state'), isText, 'observation', json);
  const list =
    field(body, 'available_actions') ?? field(body, 'admissible_commands') ?? field(body, 'admissible_actions') ?? null;
  const written = list === null && told !== null ? writtenActions.exec(told) : null;
  return {
    observation: written === null ? told : told!.slice(0, written.index),
    actions: written === null ? readActions(list) : quotedParts(written[1]!),
    reward: checked(field(body, 'reward'), isNumber, 'reward', json),
    score: checked(field(body, 'score'), isNumber, 'score', json),
    done: checked(field(body, 'done'), isBoolean, 'done', json),
    success: checked(field(body, 'success') ?? field(body, 'won'), isBoolean, 'success', json),
    instruction: checked(instructionKeys.map((key) => field(body, key)).find(isText), isText, 'instruction', json),
  };
}

/** Reads a list of actions, or what a shop page offers. @throws {ProxmoError} `environment` if it is neither */
export function readActions(json: unknown): readonly string[] | null {
  if (json === null || json === undefined) return null;
  if (Array.isArray(json) && json.every(isText)) return json.filter((action) => action !== '');
  const clickables = field(json, 'clickables');
  if (Array.isArray(clickables) && clickables.every(isText)) {
    const search = field(json, 'has_search_bar') === true ? ['search[<your query>]'] : [];
    return [...search, ...clickables.map((label) => `click[${label}]`)];
  }
  throw new ProxmoError('environment', `${show(json)} is no list of actions.`);
}

/** The task as the first observation states it, or all of that where it is in no known form. */
export function findInstruction(observation: string): string {
  for (const pattern of instructionPatterns) {
    const stated = pattern.exec(observation)?.[1]?.trim();
    if (stated) return stated;
  }
  return observation;
}

/** The failure that a server reports, or null. */
export function reportedError(json: unknown): string | null {
  const error = field(json, 'error');
  return error === undefined || error === null ? null : isText(error) ? error : show(error);
}

function quotedParts(list: string): string[] {
  return [...list.matchAll(/"([^"]*)"|'([^']*)'/g)]
    .map(([, double, single]) => (double ?? single)!)
    .filter((action) => action !== '');
}

/** A value of the right kind, or null where there is none. */
function checked<T>(value: unknown, isRight: (value: unknown) => value is T, name: string, answer: unknown): T | null {
  if (value === undefined || value === null) return null;
  if (isRight(value)) return value;
  throw new ProxmoError('environment', `${name} is ${show(value)} in ${show(answer)}.`);
}

function field(json: unknown, key: string): unknown {
  return typeof json === 'object' && json !== null && Object.hasOwn(json, key)
    ? (json as Record<string, unknown>)[key]
    : undefined;
}

function isId(value: unknown): value is number | string {
  return Number.isSafeInteger(value) || (typeof value === 'string' && value !== '');
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isNumber(value: unknown): value is number {
  return Number.isFinite(value);
}

function isBoolean(value: unknown): value is boolean {
  return typeof value === 'boolean';
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
