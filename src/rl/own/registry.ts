/**
 * What users bring of their own, by name: estimators, policy losses, task samplers. A program registers it; the command
 * line registers modules that settings name, by their absolute paths.
 */
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { nearestKey } from '../../base/nearestKey.ts';
import { ModuleCode } from '../../envs/moduleGuard.ts';

/** Options of something of a user's own, as a configuration has them. */
export type OwnOptions = Readonly<Record<string, unknown>>;

/** How settings name something of a user's own. */
export interface OwnReference {
  readonly name: string;
  readonly options: OwnOptions;
}

/** The fields of a reference. @param key of the settings that hold it */
export function ownFields(key: string) {
  return {
    name: z
      .string()
      .min(1)
      .meta({
        description: 'The name that a program registered it by, or the path of a module (docs/own.md).',
        examples: ['./mine.mjs'],
      }),
    options: z
      .record(z.string(), z.unknown())
      .default({})
      .meta({
        description: 'Its options, handed to it as they are.',
        examples: [{ power: 2 }],
        needs: { [`${key}.name`]: './mine.mjs' },
      }),
  };
}

/** @param key of the setting */
export function ownReference(key: string) {
  return z.strictObject(ownFields(key));
}

export class OwnRegistry<Factory extends (options: OwnOptions, ...more: never[]) => unknown> {
  private readonly factories = new Map<string, Factory>();

  /** @param kind as `estimator` @param register the function by which a program does so */
  constructor(
    readonly kind: string,
    private readonly register: string,
  ) {}

  /**
   * Takes the place of what had the name before.
   * @throws {ProxmoError} `config` if there is no name, or no function
   */
  add(name: string, factory: Factory): void {
    if (typeof name !== 'string' || name === '')
      throw new ProxmoError('config', `${this.register} needs a name that is not empty.`);
    if (typeof factory !== 'function')
      throw new ProxmoError('config', `${this.register}: ${name} must be a function that makes the ${this.kind}.`);
    this.factories.set(name, factory);
  }

  /**
   * Makes it.
   * @throws {ProxmoError} `config` if there is none of that name, or it cannot be made
   */
  make({ name, options }: OwnReference, ...more: MoreOf<Factory>): ReturnType<Factory> {
    const factory = this.factories.get(name);
    if (!factory) throw this.noSuch(name);
    const call = () => factory(options, ...more) as ReturnType<Factory>;
    return this.code(name).run(`making the ${this.kind}`, call) as ReturnType<Factory>;
  }

  /** For calling what it made: what goes wrong in it is told as its own fault. */
  code(name: string): ModuleCode {
    return new ModuleCode(name, `file://${name}`, 'config');
  }

  private noSuch(name: string): ProxmoError {
    const meant = nearestKey(name, [...this.factories.keys()]);
    const hint = meant === undefined ? '' : ` (did you mean ${meant}?)`;
    return new ProxmoError(
      'config',
      `There is no ${this.kind} ${name} in this program${hint}; register it by ${this.register}(), or give the path of a module, as ./mine.mjs.`,
    );
  }
}

type MoreOf<Factory> = Factory extends (options: OwnOptions, ...more: infer More) => unknown ? More : never;
