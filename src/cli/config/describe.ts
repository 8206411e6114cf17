/** Settings in words. */
import type { presets } from '../../rl/presets.ts';
import { mayChange, resumableSettings } from '../../rl/resumeSettings.ts';
import { resumableSftSettings } from '../../rl/sft/config.ts';
import { shellWord } from '../shellWord.ts';
import { exampleOf, presetValues, type Setting, type SettingForm, type SettingGroup, written } from './settings.ts';

const width = 100;
const longestDefault = 24;

/** A line a setting: its key, its default, and the first sentence of what it does. */
export function describeList(settings: readonly Setting[], columns: number | null): string {
  const rows = settings.flatMap(({ key, forms }) =>
    forms.map((form) => [key, shortened(defaultOf(form)), `${note(form, forms)}${firstSentence(form.description)}`]),
  );
  const [keyWidth, valueWidth] = [0, 1].map((column) => Math.max(0, ...rows.map((row) => row[column]!.length)));
  return rows
    .map(([key, value, text]) => `${key!.padEnd(keyWidth!)}  ${value!.padEnd(valueWidth!)}  ${text}`)
    .map((line) => (columns === null ? line : line.slice(0, columns)))
    .join('\n');
}

/** Everything about a setting. */
export function describeSetting(setting: Setting): string {
  return [setting.key, ...setting.forms.map((form) => describeForm(setting, form))].join('\n\n');
}

/** What a group is, and what is in it. */
export function describeGroup({ key, description }: SettingGroup, settings: readonly Setting[]): string {
  const text = description === '' ? '' : `\n${indented(description)}\n`;
  return `${key}\n${text}\n${describeList(settings, null)}`;
}

function describeForm(setting: Setting, form: SettingForm): string {
  const { key, command, forms } = setting;
  const rows = [
    ...(form.of.length > 0 && (forms.length > 1 || key.startsWith('advantages.'))
      ? [[key.startsWith('advantages.') ? 'estimators' : 'environments', form.of.join(', ')]]
      : []),
    ['value', form.type],
    ['default', defaultOf(form)],
    ...(command === 'train' ? [['presets', describePresets(setting, form)]] : []),
    ['resume', isResumable(setting) ? 'may change when a run goes on' : 'is fixed when a run goes on'],
    ['example', `proxmo ${command} ${exampleArguments(setting, form).join(' ')}`],
  ];
  return `${indented(form.description)}\n\n${rows.map(([name, value]) => `  ${name!.padEnd(12)}  ${value}`).join('\n')}`;
}

/** Whether it may change when a run goes on. */
export function isResumable({ key, command }: Setting): boolean {
  return mayChange(key, command === 'train' ? resumableSettings : resumableSftSettings);
}

/** The arguments of its command that set it, with all that it needs besides. */
export function exampleArguments(setting: Setting, form: SettingForm): string[] {
  const all = { ...form.needs, [setting.key]: exampleOf(setting, form) };
  return Object.entries(all).flatMap(([name, value]) => ['--set', shellWord(`${name}=${written(value)}`)]);
}

/** What presets set it to, where that is not its default. */
export function describePresets(setting: Setting, form: SettingForm): string {
  const values = Object.entries(presetValues(setting, form)).filter(
    ([, value]) => JSON.stringify(value) !== JSON.stringify(form.default),
  );
  if (values.length === 0) return 'none sets it to anything else';
  const same = new Map<string, string[]>();
  for (const [name, value] of values) same.set(written(value), [...(same.get(written(value)) ?? []), name]);
  return [...same].map(([value, names]) => `${names.join(', ')}: ${value}`).join('; ');
}

/** Its default in words. */
export function defaultOf({ default: usual, presetDefaults }: SettingForm): string {
  if (presetDefaults === undefined) return usual === undefined ? 'not set' : written(usual);
  return Object.entries(presetDefaults)
    .map(([preset, value]) => `${written(value)} (${preset})`)
    .join(', ');
}

/** Whose form of several it is. */
function note({ of }: SettingForm, forms: readonly SettingForm[]): string {
  return forms.length > 1 && of.length > 0 ? `${of.join(', ')}: ` : '';
}

function firstSentence(text: string): string {
  const [sentence] = text.split(/(?<=\.) (?=[A-Z`])/);
  return sentence!;
}

function shortened(text: string): string {
  return text.length > longestDefault ? `${text.slice(0, longestDefault - 1)}…` : text;
}

/** A text in lines of a readable width. */
function indented(text: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1)!;
    if (last !== '' && last.length + word.length >= width) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines.map((line) => `  ${line}`).join('\n');
}

/** Names and purposes of the presets. */
export function describePresetNames(descriptions: Readonly<Record<keyof typeof presets, string>>): string {
  return Object.entries(descriptions)
    .map(([name, text]) => `${name}\n${indented(text)}`)
    .join('\n\n');
}
