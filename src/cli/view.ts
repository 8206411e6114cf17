/** `proxmo view`: a page that shows runs while they train and afterwards, and explains their credit. */
import { spawn } from 'node:child_process';
import { Command } from 'commander';
import { openFolders } from '../view/server/openFolders.node.ts';
import { serveRuns } from '../view/server/server.node.ts';
import { wholeNumber } from './arguments.ts';
import { standardError, standardOutput } from './output.ts';

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
      standardOutput.print(server.address);
      if (open) openBrowser(server.address);
      await new Promise<void>((resolve) => {
        for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
      });
      await server.close();
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
