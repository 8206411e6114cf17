/** `proxmo view`: a page that shows runs while they train and afterwards, and explains their credit. */
import { spawn } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Command } from 'commander';
import { refuseExisting, writeFileAtomic } from '../base/atomicFile.node.ts';
import { ProxmoError } from '../base/errors.ts';
import { writeDiskPage } from '../view/server/diskPage.node.ts';
import { openFolders } from '../view/server/openFolders.node.ts';
import { serveRuns } from '../view/server/server.node.ts';
import { wholeNumber } from './arguments.ts';
import { standardError, standardOutput } from './output.ts';
import { hasParent, Parent } from './parent.ts';
import { stopSignals } from './stopSignals.ts';
import type { ViewNews } from './viewBeside.ts';

interface ViewOptions {
  readonly html?: string;
  readonly port?: number;
  readonly open?: boolean;
}

export function viewCommand(): Command {
  return new Command('view')
    .description('Look at runs in a browser: live curves, why an action got its credit, comparisons.')
    .argument('<run...>', 'folders of runs, or of studies')
    .option('--port <n>', 'port on this machine (default: any that is free)', wholeNumber)
    .option('--html <file>', 'serve nothing; write one page with all of it, which opens from disk')
    .option('--open', 'open the page in the browser')
    .action(async (dirs: readonly string[], { html, port, open = false }: ViewOptions) => {
      if (html !== undefined) {
        if (port !== undefined)
          throw new ProxmoError('usage', '--html writes a file and serves nothing, so it takes no --port.');
        return writePage(dirs, html, open);
      }
      const server = await serveRuns(await openFolders(dirs), port);
      if (hasParent) process.send?.({ address: server.address } satisfies ViewNews);
      else standardOutput.print(server.address);
      if (open) openBrowser(server.address);
      await untilOver();
      await server.close();
    });
}

/** @throws {ProxmoError} `file` if there is such a file already, or a folder is no run */
async function writePage(dirs: readonly string[], path: string, open: boolean): Promise<void> {
  await refuseExisting(path, 'page');
  const { html, leftOut } = await writeDiskPage(await openFolders(dirs));
  const { bytes } = await writeFileAtomic(path, [html]);
  for (const sentence of leftOut) standardError.print(sentence);
  standardOutput.print(`${path}: ${(bytes / 2 ** 20).toFixed(1)} MiB`);
  if (open) openBrowser(pathToFileURL(resolve(path)).href);
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
