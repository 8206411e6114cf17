/**
 * The household task set: generated rooms, six types of tasks in them, and an expert. Train and seen tasks play in the
 * same rooms, unseen tasks in rooms of their own; no task is in two splits. Everything follows from the options and the
 * seeds.
 */
import { ProxmoError } from '../../base/errors.ts';
import type { Expert, Split, TaskSet } from '../environment.ts';
import { RandomStream } from '../random.ts';
import { takeTurns } from '../taskLists.ts';
import { HouseholdEnvironment } from './environment.ts';
import { HouseholdExpert } from './expert.ts';
import { type HouseholdOptions, type ResolvedOptions, resolveOptions, TASK_TYPES, type TaskType } from './options.ts';
import { makeRooms, type Room, type RoomPool } from './rooms.ts';
import { type HouseholdTask, tasksOf } from './tasks.ts';
import { householdWords } from './words.ts';

export type { HouseholdOptions, TaskType } from './options.ts';
export type { HouseholdTask } from './tasks.ts';

/** The household task set; its environments answer at once, without promises. */
export class HouseholdTaskSet implements TaskSet<HouseholdTask> {
  readonly name = 'household';
  readonly types: readonly TaskType[];
  readonly maxSteps: number;
  private readonly rooms: RoomPool;
  private readonly roomsById: ReadonlyMap<string, Room>;
  /** Every task of the splits that were asked for whole. */
  private readonly whole = new Map<Split, readonly HouseholdTask[]>();
  /** Demonstrators made so far: whether the next one is hasty follows from it. */
  private demonstratorCount = 0;

  constructor(private readonly options: ResolvedOptions) {
    this.types = options.types;
    this.maxSteps = options.maxSteps;
    this.rooms = makeRooms(options);
    this.roomsById = new Map([...this.rooms.train, ...this.rooms.unseen].map((room) => [room.id, room]));
  }

  tasks(split: Split, count: number, seed: number): readonly HouseholdTask[] {
    const rooms = this.roomsOf(split);
    const byType = this.types.map((type) =>
      new RandomStream(seed, TASK_TYPES.indexOf(type)).shuffle(rooms.flatMap((room) => tasksOf(room, type, split))),
    );
    const chosen: HouseholdTask[] = [];
    for (const task of takeTurns(byType)) {
      if (chosen.length >= count) break;
      if (this.isSolvable(task)) chosen.push(task);
    }
    if (chosen.length < count) {
      throw new ProxmoError(
        'config',
        `household: split ${split} has only ${chosen.length} tasks, not ${count}; ask for fewer, or raise the options rooms or maxSteps.`,
      );
    }
    return chosen;
  }

  /** Room by room, by type in each. */
  allTasks(split: Split): readonly HouseholdTask[] {
    let tasks = this.whole.get(split);
    if (tasks === undefined) {
      const inRooms = this.roomsOf(split).flatMap((room) => this.types.flatMap((type) => tasksOf(room, type, split)));
      this.whole.set(split, (tasks = inRooms.filter((task) => this.isSolvable(task))));
    }
    return tasks;
  }

  createEnvironment(): HouseholdEnvironment {
    return new HouseholdEnvironment(this.options, (id) => this.roomsById.get(id));
  }

  createExpert(): Expert {
    return new HouseholdExpert();
  }

  /** The expert, or in a share of demonstrations one that is hasty. */
  createDemonstrator(): Expert {
    const { hastyShare, worldSeed } = this.options;
    return new HouseholdExpert(new RandomStream(worldSeed, this.demonstratorCount++).below(1000) < 1000 * hastyShare);
  }

  words(): readonly string[] {
    return householdWords(this.options);
  }

  private roomsOf(split: Split): readonly Room[] {
    return split === 'unseen' ? this.rooms.unseen : this.rooms.train;
  }

  /**
   * Whether the expert accomplishes a task in time. At worst it looks into every place, opening those that are closed,
   * and needs seven more steps, so most often there is no need to let it play.
   */
  private isSolvable(task: HouseholdTask): boolean {
    const { places } = this.roomsById.get(task.room)!;
    if (this.maxSteps >= places.length + places.filter(({ kind }) => kind.openable).length + 7) return true;
    const environment = this.createEnvironment();
    const expert = new HouseholdExpert();
    const first = environment.reset(task);
    expert.reset(first.instruction);
    let turn = environment.step(expert.act(first));
    while (!turn.done) turn = environment.step(expert.act(turn));
    return turn.success;
  }
}

/**
 * The household task set.
 *
 * @throws {ProxmoError} `config` on options that are unknown, out of range, or admit too few rooms.
 */
export function createHouseholdTaskSet(options: HouseholdOptions = {}): HouseholdTaskSet {
  return new HouseholdTaskSet(resolveOptions(options));
}
