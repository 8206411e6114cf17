/** The six task types, which ALFWorld writes into the path of every game. */

/** Task types in report order, as verl-agent and ProxMO report them. */
export const TASK_TYPES = [
  'pick_and_place',
  'pick_two_obj_and_place',
  'look_at_obj_in_light',
  'pick_heat_then_place_in_recep',
  'pick_cool_then_place_in_recep',
  'pick_clean_then_place_in_recep',
] as const;
export type TaskType = (typeof TASK_TYPES)[number];

/** The first type that a game's path contains, or null. */
export function typeOfPath(path: string): TaskType | null {
  return TASK_TYPES.find((type) => path.includes(type)) ?? null;
}

/**
 * Games with things in things and with sliced things are no ALFWorld tasks: it skips them wherever it finds them, and
 * so does this.
 */
export function isSupportedPath(path: string): boolean {
  return !path.includes('movable') && !path.includes('Sliced') && typeOfPath(path) !== null;
}
