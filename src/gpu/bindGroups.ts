/**
 * Bind groups, shared by all dispatches of all programs that bind the same ranges in the same layout: the steps of a
 * block of tokens, and programs of other sizes. They are made when a list of dispatches is first encoded, and given
 * back with it.
 *
 * Their number is bounded, since drivers hold resources for each: lavapipe maps memory, and a process may have 65,530
 * maps under Linux. Where there are too many, the lists that were used longest ago lose theirs, until they are encoded
 * again.
 */
/** Some bytes of a buffer. */
export interface BufferRange {
  readonly buffer: GPUBuffer;
  /** In bytes. */
  readonly offset: number;
  readonly size: number;
}

/** What a bind group is made of. */
export interface Bindings {
  readonly layout: GPUBindGroupLayout;
  /** In the order of the layout's bindings. */
  readonly ranges: readonly BufferRange[];
}

/** Whoever uses bind groups. */
export interface BindGroupUser {
  /** All that it uses, by `BindGroups.keyOf`. */
  readonly bindings: ReadonlyMap<string, Bindings>;
  /** Told that its bind groups are gone: whatever was encoded with them must not be kept. */
  forget(): void;
}

interface Entry {
  readonly key: string;
  readonly group: GPUBindGroup;
  users: number;
}

interface Taken {
  readonly entries: readonly Entry[];
  readonly groups: readonly GPUBindGroup[];
}

/** Most bind groups at a time. */
export const mostBindGroups = 2 ** 14;
/** Bind groups that nobody uses, but whose objects JavaScript has not collected, before it is asked to. */
const mostUncollected = mostBindGroups / 4;

export class BindGroups {
  /** Most at a time: to be lowered to try what happens where they do not suffice. */
  most = mostBindGroups;
  private readonly entries = new Map<string, Entry>();
  /** What each user has; who used it last comes last. */
  private readonly users = new Map<BindGroupUser, Taken>();
  private readonly ids = new WeakMap<object, number>();
  private nextId = 0;
  /** Objects that live, collectable ones among them. */
  private objects = 0;
  private readonly collected = new FinalizationRegistry<null>(() => this.objects--);

  /** @param collect collects garbage, where the platform can be asked to */
  constructor(
    private readonly device: GPUDevice,
    private readonly collect: (() => void) | undefined,
  ) {}

  /** Bind groups in use. */
  get count(): number {
    return this.entries.size;
  }

  /** The bind groups of a user, in the order of its bindings. Others may lose theirs for it. */
  take(user: BindGroupUser): readonly GPUBindGroup[] {
    const taken = this.users.get(user) ?? this.bind(user);
    this.users.delete(user);
    this.users.set(user, taken);
    return taken.groups;
  }

  /** Takes a user's bind groups back. Those that nobody else uses go. */
  release(user: BindGroupUser): void {
    const taken = this.users.get(user);
    if (!taken) return;
    this.users.delete(user);
    for (const entry of taken.entries) if (--entry.users === 0) this.entries.delete(entry.key);
    user.forget();
  }

  /** Names the ranges and the layout: equal for what one bind group serves. */
  keyOf({ layout, ranges }: Bindings): string {
    const named = ranges.map(({ buffer, offset, size }) => `${this.idOf(buffer)}@${offset}+${size}`);
    return `${this.idOf(layout)}:${named.join()}`;
  }

  private bind({ bindings }: BindGroupUser): Taken {
    this.makeRoom([...bindings.keys()]);
    const entries = Array.from(bindings, ([key, binding]) => {
      const entry = this.entries.get(key) ?? this.make(key, binding);
      entry.users++;
      return entry;
    });
    return { entries, groups: entries.map(({ group }) => group) };
  }

  private idOf(object: object): number {
    const known = this.ids.get(object);
    if (known !== undefined) return known;
    const id = this.nextId++;
    this.ids.set(object, id);
    return id;
  }

  private makeRoom(keys: readonly string[]): void {
    const missing = () => keys.filter((key) => !this.entries.has(key)).length;
    for (const [oldest] of this.users) {
      if (this.count + missing() <= this.most) break;
      this.release(oldest);
    }
    if (this.objects - this.count > mostUncollected) this.collect?.();
  }

  private make(key: string, { layout, ranges }: Bindings): Entry {
    const group = this.device.createBindGroup({
      layout,
      entries: ranges.map((range, binding) => ({ binding, resource: range })),
    });
    this.objects++;
    this.collected.register(group, null);
    const entry = { key, group, users: 0 };
    this.entries.set(key, entry);
    return entry;
  }
}
