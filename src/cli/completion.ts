/**
 * `proxmo completion`: scripts by which shells complete commands. A script asks the program itself, by the hidden
 * command `complete`, which answers from the commands that parse the arguments: the two cannot drift apart.
 */
import { type Dirent, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Argument, Command, type Option } from 'commander';
import { estimatorNames } from '../rl/advantages/optionShapes.ts';
import { runFiles } from '../runs/run.ts';
import { type SettingCommand, SettingList } from './config/settings.ts';
import { standardOutput } from './output.ts';
import { presetNames } from './presetNames.ts';

const scripts = {
  bash: `_proxmo() {
  local IFS=$'\\n' current="\${COMP_LINE:0:COMP_POINT}"
  # Words as the shell splits them, but for =, at which bash would part key=value.
  local -a words; IFS=' ' read -r -a words <<< "$current"
  [[ "$current" == *' ' ]] && words+=('')
  local last="\${words[-1]}"
  COMPREPLY=($(proxmo complete -- "\${words[@]:1}" 2>/dev/null))
  # Bash replaces what stands behind the last =.
  [[ "$last" == *=* ]] && COMPREPLY=("\${COMPREPLY[@]#"\${last%=*}="}")
  [[ "\${#COMPREPLY[@]}" == 1 && "\${COMPREPLY[0]}" == *[=/] ]] && compopt -o nospace
}
complete -o default -F _proxmo proxmo
`,
  zsh: `#compdef proxmo
_proxmo() {
  local -a found
  found=("\${(@f)$(proxmo complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if (( \${#found} )) && [[ -n "$found[1]" ]]; then compadd -S '' -Q -a found; else _files; fi
}
if [[ "$funcstack[1]" == _proxmo ]]; then _proxmo "$@"; else compdef _proxmo proxmo; fi
`,
  fish: `complete -c proxmo -a '(proxmo complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`,
} as const;

export function completionCommand(): Command {
  return new Command('completion')
    .description('Print a script by which a shell completes commands, options, presets, settings and runs.')
    .addArgument(new Argument('<shell>', 'for bash: source <(proxmo completion bash)').choices(Object.keys(scripts)))
    .action((shell: keyof typeof scripts) => standardOutput.write(scripts[shell]));
}

/** @param program all commands */
export function completeCommand(program: Command): Command {
  return new Command('complete')
    .description('Print what the last of some words may become, a line each: for the scripts of proxmo completion.')
    .argument('[words...]', 'words behind proxmo, the last one perhaps unfinished')
    .action((words: readonly string[]) => {
      const found = completions(program, words);
      if (found.length > 0) standardOutput.print(found.join('\n'));
    });
}

/** What the last word may become, given those before it. */
export function completions(program: Command, words: readonly string[]): string[] {
  const current = words.at(-1) ?? '';
  let command = program;
  const positional: string[] = [];
  let previous: string | undefined;
  for (const word of words.slice(0, -1)) {
    const isValue = optionWithValue(command, previous) !== undefined;
    const child = isValue ? undefined : command.commands.find((each) => each.name() === word);
    if (child !== undefined && positional.length === 0) command = child;
    else if (!isValue && !word.startsWith('-')) positional.push(word);
    previous = word;
  }
  return candidates(command, previous, current)
    .filter((word) => word.startsWith(current) && word !== current)
    .sort();
}

function candidates(command: Command, previous: string | undefined, current: string): string[] {
  const option = optionWithValue(command, previous);
  if (option !== undefined) {
    if (option.argChoices !== undefined) return [...option.argChoices];
    if (option.long === '--set') return settings(current, command.name() === 'sft' ? 'sft' : 'train');
    if (option.long === '--preset') return [...presetNames];
    if (option.long === '--estimator') return [...estimatorNames];
    return ['--resume', '--init'].includes(option.long ?? '') ? runs(current) : [];
  }
  if (current.startsWith('-'))
    return [...command.options.filter(({ hidden }) => !hidden).map(({ long }) => long!), '--help'];
  const children = command.commands.filter((each) => !isHidden(each)).map((each) => each.name());
  if (children.length > 0) return children;
  const [argument] = command.registeredArguments;
  if (argument?.argChoices !== undefined) return [...argument.argChoices];
  if (['key', 'prefix'].includes(argument?.name() ?? '')) return new SettingList().names;
  return ['run', 'runs', 'model'].includes(argument?.name() ?? '') ? runs(current) : [];
}

/** Hidden commands complete others. */
function isHidden(command: Command): boolean {
  return command.name() === 'complete';
}

/** The option that a word names, if what follows it may be its value. */
function optionWithValue({ options }: Command, word: string | undefined): Option | undefined {
  if (word === undefined) return undefined;
  return options.find(
    ({ long, short, required, optional }) => (long === word || short === word) && (required || optional),
  );
}

/** Keys with their `=`, or the values of one whose values can be listed. */
function settings(current: string, command: SettingCommand): string[] {
  const list = new SettingList(command);
  const at = current.indexOf('=');
  if (at < 0) return list.settings.map(({ key }) => `${key}=`);
  const key = current.slice(0, at);
  const setting = list.settings.find((each) => each.key === key);
  return (setting?.forms ?? []).flatMap(({ values }) => values.map((value) => `${key}=${value}`));
}

/** Run folders, and folders that may hold some, which begin with a path. */
function runs(current: string): string[] {
  // As it was typed, `./` and all: a shell keeps only what begins with that.
  const typed = current.slice(0, current.lastIndexOf('/') + 1);
  return entriesOf(typed || '.').flatMap((entry) => {
    if (!entry.isDirectory() || entry.name.startsWith('.') || entry.name === 'node_modules') return [];
    const path = `${typed}${entry.name}`;
    return [existsSync(join(path, runFiles.manifest)) ? path : `${path}/`];
  });
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}
