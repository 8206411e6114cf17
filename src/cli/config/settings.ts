/** Every setting, read from the JSON Schema of the configuration: for lists, explanations and completion. */
import { stringify } from 'yaml';
import type * as z from 'zod';
import { nearestKey } from '../../base/nearestKey.ts';
import { valueAt } from '../../base/schemaProblems.ts';
import { environmentEntries } from '../../envs/registry.node.ts';
import { trainConfigSchema } from '../../rl/config.ts';
import { annotatedSchema, type JsonSchema } from '../../rl/configSchema.node.ts';
import { presets } from '../../rl/presets.ts';
import { sftConfigSchema } from '../../rl/sft/config.ts';
import { meantSettings } from '../../runs/settingNames.ts';

/** What a setting is, everywhere or for some estimators or environments alone. */
export interface SettingForm {
  /** Estimators, or environments, that have it in this form; none where it is for all. */
  readonly of: readonly string[];
  readonly description: string;
  /** What it may be, in words. */
  readonly type: string;
  /** What it may be, where that can be listed. */
  readonly values: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  /** Undefined where there is none. */
  readonly default: unknown;
  /** Defaults with each value of `advantages.preset`, where they differ. */
  readonly presetDefaults?: Readonly<Record<string, unknown>>;
  readonly examples: readonly unknown[];
  /** Other settings without which it is refused. */
  readonly needs: Readonly<Record<string, unknown>>;
}

/** Commands that have settings. */
export const settingCommands = ['train', 'sft'] as const;
export type SettingCommand = (typeof settingCommands)[number];

export interface Setting {
  readonly key: string;
  /** Whose setting it is. */
  readonly command: SettingCommand;
  readonly forms: readonly SettingForm[];
}

/** A group of settings. */
export interface SettingGroup {
  readonly key: string;
  readonly description: string;
}

/** Where the options of environments stand. */
const optionsKey = 'environment.options';

/** Every setting and group in the order of the schema, environments' own options last of their group. */
export class SettingList {
  readonly settings: readonly Setting[];
  readonly groups: readonly SettingGroup[];

  constructor(private readonly command: SettingCommand = 'train') {
    const walk = new Walk();
    walk.enter(annotatedSchema(this.schema), '', [], {});
    if (command === 'train') addEnvironments(walk);
    this.settings = [...walk.forms].map(([key, forms]) => ({ key, command, forms }));
    this.groups = [...walk.groups].map(([key, description]) => ({ key, description }));
  }

  private get schema(): z.ZodType {
    return this.command === 'train' ? trainConfigSchema : sftConfigSchema;
  }

  /** Every name that `config explain` knows. */
  get names(): string[] {
    return [...this.groups, ...this.settings].map(({ key }) => key);
  }

  /** A setting or group by its whole path. */
  find(key: string): Setting | SettingGroup | undefined {
    return this.settings.find((each) => each.key === key) ?? this.groups.find((each) => each.key === key);
  }

  /** What names a setting that is none: the settings that are meant, the likeliest first. */
  meant(key: string): readonly string[] {
    const path = key.split('.');
    const word = path.at(-1)!;
    const known = meantSettings(this.schema, word, path.slice(0, -1));
    const elsewhere = known.length > 0 ? known : this.names.filter((name) => name.endsWith(`.${word}`));
    if (elsewhere.length > 0) return elsewhere;
    const nearest = nearestKey(key, this.names) ?? this.nearestWord(word);
    return nearest === undefined ? [] : [nearest];
  }

  /** The first setting whose last word is like one. */
  private nearestWord(word: string): string | undefined {
    const last = (name: string) => name.slice(name.lastIndexOf('.') + 1);
    const nearest = nearestKey(word, this.names.map(last));
    return this.names.find((name) => last(name) === nearest);
  }

  /** Settings below a prefix, or all. Options of environments are there for a prefix that leads to them. */
  below(prefix: string): readonly Setting[] {
    const hasOptions = `${prefix}.`.startsWith(`${optionsKey}.`);
    return this.settings.filter(
      ({ key }) => key.startsWith(prefix) && (hasOptions || !key.startsWith(`${optionsKey}.`)),
    );
  }
}

/** Adds the options of environments. */
function addEnvironments(walk: Walk): void {
  const usual = trainConfigSchema.parse({}).environment.name;
  for (const { name, options } of environmentEntries)
    walk.enter(annotatedSchema(options), `${optionsKey}.`, [name], name === usual ? {} : { 'environment.name': name });
}

class Walk {
  readonly forms = new Map<string, SettingForm[]>();
  readonly groups = new Map<string, string>();

  /** Adds what is within a group. */
  enter(group: JsonSchema, prefix: string, of: readonly string[], needs: SettingForm['needs']): void {
    const [variant] = discriminatorOf(group) ?? [];
    for (const [key, child] of Object.entries(group.properties ?? {}) as [string, JsonSchema][])
      if (key !== variant) this.visit(child, `${prefix}${key}`, of, needs);
  }

  private visit(schema: JsonSchema, key: string, of: readonly string[], outerNeeds: SettingForm['needs']): void {
    const needs = { ...outerNeeds, ...(schema.needs as object | undefined) };
    const variants = (schema.anyOf ?? schema.oneOf ?? [schema]) as JsonSchema[];
    const groups = variants.filter(({ properties }) => properties !== undefined);
    if (groups.length > 0) this.groups.set(key, schema.description ?? '');
    // A group that may be left out as a whole is a setting too.
    if (groups.length < variants.length || groups.length === 0) this.add(key, formOf(schema, of, needs));
    this.addVariants(key, groups, needs);
    for (const group of groups) {
      const [name, value] = discriminatorOf(group) ?? [];
      if (name === undefined) this.enter(group, `${key}.`, of, needs);
      else {
        const chosen = isUsual(group) ? needs : { ...needs, [`${key}.${name}`]: value };
        this.enter(group, `${key}.`, [...of, String(value)], chosen);
      }
    }
  }

  /** Adds the setting by which variants of a group are told apart. */
  private addVariants(key: string, groups: readonly JsonSchema[], needs: SettingForm['needs']): void {
    const [name] = (groups[0] && discriminatorOf(groups[0])) ?? [];
    if (name === undefined) return;
    const { const: _, ...common } = groups[0]!.properties![name] as JsonSchema;
    const values = groups.map((group) => discriminatorOf(group)![1]) as JsonSchema['enum'] & {};
    this.add(`${key}.${name}`, formOf({ ...common, enum: values }, [], needs));
  }

  /** Forms that are alike but for whose they are become one. */
  private add(key: string, form: SettingForm): void {
    const forms = this.forms.get(key) ?? [];
    const text = ({ of: _of, needs: _needs, ...rest }: SettingForm) => JSON.stringify(rest);
    const at = forms.findIndex((other) => text(other) === text(form));
    if (at < 0) forms.push(form);
    else forms[at] = { ...forms[at]!, of: [...forms[at]!.of, ...form.of] };
    this.forms.set(key, forms);
  }
}

/** The key and value that tell a variant from the others, as `estimator` and `grpo`. */
function discriminatorOf({ properties }: JsonSchema): [string, unknown] | undefined {
  for (const [key, schema] of Object.entries(properties ?? {}) as [string, JsonSchema][])
    if (schema.const !== undefined) return [key, schema.const];
  return undefined;
}

/** Whether a variant is the one that is meant where none is named. */
function isUsual(group: JsonSchema): boolean {
  const [key, value] = discriminatorOf(group) ?? [];
  return key !== undefined && (group.properties![key] as JsonSchema).default === value;
}

function formOf(schema: JsonSchema, of: readonly string[], needs: SettingForm['needs']): SettingForm {
  const { description = '', examples = [], presetDefaults, minimum, maximum } = schema;
  return {
    of,
    description,
    type: typeOf(schema),
    values: valuesOf(schema),
    ...(minimum === undefined ? {} : { minimum }),
    ...(maximum === undefined ? {} : { maximum }),
    default: schema.default,
    ...(presetDefaults === undefined ? {} : { presetDefaults: presetDefaults as Record<string, unknown> }),
    examples: examples as unknown[],
    needs,
  };
}

function valuesOf(schema: JsonSchema): unknown[] {
  if (schema.enum) return schema.enum;
  if (schema.const !== undefined) return [schema.const];
  if (schema.type === 'boolean') return [false, true];
  return [];
}

/** What a value may be, in words, as `whole number of at least 1`. */
function typeOf(schema: JsonSchema): string {
  const options = (schema.anyOf ?? schema.oneOf) as JsonSchema[] | undefined;
  if (options) return options.map(typeOf).join(' or ');
  const values = schema.type === 'boolean' ? [] : valuesOf(schema);
  if (values.length > 0) return values.map(written).join(' | ');
  switch (schema.type) {
    case 'integer':
      return `whole number${rangeOf(schema)}`;
    case 'number':
      return `number${rangeOf(schema)}`;
    case 'boolean':
      return 'true or false';
    case 'string':
      return 'text';
    case 'array':
      return Array.isArray(schema.items) || schema.items === undefined
        ? 'list'
        : `list of ${typeOf(schema.items as JsonSchema)}`;
    case 'object':
      return 'group of keys';
    case 'null':
      return 'null';
    default:
      return 'anything';
  }
}

function rangeOf({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: JsonSchema): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  const bounds = [
    minimum === undefined ? '' : `of at least ${minimum}`,
    maximum === undefined ? '' : `of at most ${maximum}`,
    exclusiveMinimum === undefined ? '' : `above ${exclusiveMinimum}`,
    exclusiveMaximum === undefined ? '' : `below ${exclusiveMaximum}`,
  ].filter(Boolean);
  return bounds.length === 0 ? '' : ` ${bounds.join(' and ')}`;
}

/** A value as it is written after `--set key=`. */
export function written(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0 })
    .trim()
    .replace(/^\[ (.*) \]$/, '[$1]');
}

/** A value to show how the setting is written: another one than the default, where there is one to be had. */
export function exampleOf({ key, command }: Pick<Setting, 'key' | 'command'>, form: SettingForm): unknown {
  const { examples, values, type, default: usual, maximum = Number.POSITIVE_INFINITY } = form;
  if (examples.length > 0) return examples[0];
  const other = [...values, ...Object.values(presetValues({ key, command }, form))].find((value) => value !== usual);
  if (other !== undefined) return other;
  if (typeof usual === 'number') return usual === 0 ? 1 : 2 * usual <= maximum ? 2 * usual : usual / 2;
  if (usual !== undefined && usual !== null) return usual;
  return type.startsWith('text') ? 'TEXT' : type.startsWith('list') ? [] : type === 'group of keys' ? {} : 1;
}

/**
 * What presets set it to, by their names: in this form, where its environment has the setting. They are those of
 * training runs.
 */
export function presetValues(
  { key, command }: Pick<Setting, 'key' | 'command'>,
  { of }: Pick<SettingForm, 'of'>,
): Readonly<Record<string, unknown>> {
  if (command !== 'train') return {};
  const isOption = key.startsWith(`${optionsKey}.`);
  const values = Object.entries(presets).flatMap(([name, preset]) => {
    const path = isOption && !of.includes(preset.environment.name) ? [] : key.split('.');
    const value = valueAt(preset, path);
    return value === undefined || value === preset ? [] : [[name, value] as const];
  });
  return Object.fromEntries(values);
}
