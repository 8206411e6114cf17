/** `proxmo env`: the environments, to look at, play by hand, check and replay. */
import { Command } from 'commander';
import { checkCommand } from './env/check.ts';
import { demonstrateCommand } from './env/demonstrate.ts';
import { fetchCommand } from './env/fetch.ts';
import { listCommand } from './env/list.ts';
import { newEnvironmentCommand } from './env/new.ts';
import { playByHandCommand } from './env/play.ts';
import { replayCommand } from './env/replay.ts';

export function envCommand(): Command {
  return new Command('env')
    .description(
      "Look at environments: list them, begin one of your own, fetch their data, play one by hand, check one against its contract, replay recorded sessions, write an expert's episodes as chats.",
    )
    .addCommand(listCommand())
    .addCommand(newEnvironmentCommand())
    .addCommand(fetchCommand())
    .addCommand(playByHandCommand())
    .addCommand(checkCommand())
    .addCommand(replayCommand())
    .addCommand(demonstrateCommand());
}
