/** `proxmo view`: a page that shows runs while they train and afterwards, and explains their credit. */
import { spawn } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { Command } from 'commander';
import { openFolders } from '../view/server/openFolders.node.ts';
import { serveRuns } from '../view/server/server.node.ts';
import { wholeNumber } from './arguments.ts';
import { standardError, standardOutput } from './output.ts';
import { hasParent, Parent } from './parent.ts';
import { stopSignals } from './stopSignals.ts';
import type { ViewNews } from './viewBeside.ts';

interface ViewOptions {
  readonly port?: number;
  readonly open?: boolean;
}

export function viewCommand(): Command {
  return new Command('view')
    .description('Look at runs in a browser: live curves, why an action got its credit, comparisons.')
    .argument('<run...>', 'folders of runs, or of studies')
    .option('--port <n>', 'port on this machine (default: any that is free)', wholeNumber)
    .option('--open', 'open the page in the browser')
    .action(async (dirs: readonly string[], { port, open }: ViewOptions) => {
      const server = await serveRuns(await openFolders(dirs), port);
      if (hasParent) process.send?.({ address: server.address } satisfies ViewNews);
      else standardOutput.print(server.address);
      if (open) openBrowser(server.address);
      await untilOver();
      await server.close();
    });
}

/** Until a signal comes. Beside a training: until that has ended, whatever keys were pressed, and at no cost to it. */
function untilOver(): Promise<void> {
  return new Promise((resolve) => {
    if (!hasParent) {
      for (const signal of stopSignals) process.on(signal, () => resolve());
      return;
    }
    for (const signal of stopSignals) if (signal !== 'SIGTERM') process.on(signal, () => {});
    new Parent().onGone(resolve);
    try {
      setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
    } catch {
      // Some systems let nobody set it.
    }
  });
}

/** Opens an address in the user's browser. Where there is none, the address that was printed is all. */
function openBrowser(address: string): void {
  const [command, ...rest] =
    process.platform === 'darwin' ? ['open'] : process.platform === 'win32' ? ['cmd', '/c', 'start', ''] : ['xdg-open'];
  const child = spawn(command!, [...rest, address], { stdio: 'ignore', detached: true });
  child.on('error', () => standardError.print('No browser could be opened; open the address yourself.'));
  child.unref();
}
