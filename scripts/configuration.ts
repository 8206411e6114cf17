/**
 * Makes docs/configuration.md from the settings' schema: `npm run configuration`. A test checks that the page is up to
 * date.
 */
import { writeFileSync } from 'node:fs';
import { defaultOf, describePresets, isResumable } from '../src/cli/config/describe.ts';
import { type Setting, type SettingForm, SettingList } from '../src/cli/config/settings.ts';
import { presetDescriptions } from '../src/rl/presets.ts';

const intro = `# Configuration

For whoever looks for a setting. This page is made by \`npm run configuration\` from the schema that checks settings, so
it says what the code does; do not edit it.

- \`--set training.iterations=40\` sets one on the command line, a YAML file sets many, and a preset sets those that fit a
  purpose. The command line goes before the file, the file before the preset.
- \`proxmo config list\` prints these tables, \`proxmo config explain KEY\` one setting with what presets make of it.
- Settings with ↻ may change when a run goes on (\`--resume\`); all others are fixed by then.
`;

/** The page, whole. */
export function configurationPage(): string {
  return `${[
    intro,
    '## Presets of `proxmo train`\n',
    table(
      ['preset', 'what it is for'],
      Object.entries(presetDescriptions).map(([name, text]) => [code(name), text]),
    ),
    '\n## Settings of `proxmo train`\n',
    ...sections(new SettingList('train')),
    '## Settings of `proxmo sft`\n',
    ...sections(new SettingList('sft')),
  ]
    .join('\n')
    .trimEnd()}\n`;
}

/** A section for each group at the top, in the order of the schema. */
function sections(list: SettingList): string[] {
  const tops = [...new Set(list.settings.map(({ key }) => topOf(key)))];
  return tops.map((top) => {
    const settings = list.settings.filter(({ key }) => topOf(key) === top);
    const group = list.groups.find(({ key }) => key === top);
    const command = settings[0]!.command === 'sft' ? ' (sft)' : '';
    const title = top === '' ? 'of the whole run' : code(top);
    const description = group?.description ? `${wrapped(group.description)}\n\n` : '';
    return `### ${title}${command}\n\n${description}${table(['setting', 'default', 'what it does'], settings.flatMap(rowsOf))}\n`;
  });
}

/** The first word of a key with several; '' of others. */
function topOf(key: string): string {
  return key.includes('.') ? key.split('.')[0]! : '';
}

function rowsOf(setting: Setting): string[][] {
  return setting.forms.map((form) => [
    `${code(setting.key)}${isResumable(setting) ? ' ↻' : ''}`,
    code(defaultOf(form)),
    [whose(setting, form), form.description, `*${form.type}*`, presetNote(setting, form)].filter(Boolean).join(' '),
  ]);
}

function whose({ forms, key }: Setting, { of }: SettingForm): string {
  const isShown = of.length > 0 && (forms.length > 1 || key.startsWith('advantages.') || key.includes('.options.'));
  return isShown ? `Of ${of.map(code).join(', ')}.` : '';
}

function presetNote(setting: Setting, form: SettingForm): string {
  const text = setting.command === 'train' ? describePresets(setting, form) : '';
  return text === '' || text.startsWith('none') ? '' : `Presets: ${text}.`;
}

function code(text: string): string {
  return `\`${text}\``;
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(header), `|${header.map(() => '---|').join('')}`, ...rows.map(line)].join('\n');
}

/** A text in lines of at most 120 columns. */
function wrapped(text: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (longer.length > 120) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines.join('\n');
}

if (process.argv.includes('--write')) writeFileSync('docs/configuration.md', configurationPage());
