/**
 * The page of `proxmo view` beside a training: a process of its own, so that training never waits for whoever looks on.
 * It listens to nothing but the channel to the process that started it, and ends with it, however that ends.
 */
import { type ChildProcess, fork } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Command } from 'commander';
import { ProxmoError } from '../base/errors.ts';
import { wholeNumber } from './arguments.ts';
import { standardError } from './output.ts';

export interface ViewOptions {
  readonly view?: boolean;
  readonly port?: number;
  readonly open?: boolean;
}

/** What the process of the page tells once it listens. */
export interface ViewNews {
  readonly address: string;
}

export function addViewOptions(command: Command): Command {
  return command
    .option('--view', 'show the training in a browser as it goes; prints the address of the page first')
    .option('--port <n>', 'port of --view on this machine (default: any that is free)', wholeNumber)
    .option('--open', 'open the page of --view in the browser');
}

/**
 * Starts the page where it is asked for, and prints its address.
 * @param program the command line's own file
 * @param dirs of the runs, which need not be there yet
 * @returns ends the page, once pages that are open have read how the runs stand
 * @throws {ProxmoError} `usage` if the page cannot be had, before anything is trained
 */
export async function viewBeside(
  program: string,
  dirs: readonly string[],
  { view = false, port, open = false }: ViewOptions,
): Promise<() => void> {
  if (!view) {
    const given = port !== undefined ? '--port' : open ? '--open' : null;
    if (given !== null) throw new ProxmoError('usage', `${given} is of the page; give --view with it.`);
    return () => {};
  }
  const options = [...(port === undefined ? [] : ['--port', String(port)]), ...(open ? ['--open'] : [])];
  const child = fork(program, ['view', ...options, '--', ...dirs], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  const page = new Page(child, dirs);
  standardError.print(`page: ${await page.address}`);
  return () => page.end();
}

class Page {
  /** @throws {ProxmoError} `usage` */
  readonly address: Promise<string>;
  private isOver = false;

  constructor(
    private readonly child: ChildProcess,
    private readonly dirs: readonly string[],
  ) {
    this.address = new Promise((resolve, reject) => {
      let said = '';
      const collect = (text: Buffer) => (said += text.toString());
      const fail = (why: string) => reject(new ProxmoError('usage', why));
      child.stderr!.on('data', collect);
      child.once('error', (error) => fail(`The page cannot be started: ${error.message}`));
      // When it has closed, all that it said is there.
      child.once('close', () =>
        fail(said.trim().replace(/^proxmo: /, '') || 'The page cannot be started: its process ended.'),
      );
      child.once('message', ({ address }: ViewNews) => {
        child.stderr!.off('data', collect).on('data', (text: Buffer) => standardError.write(text.toString()));
        resolve(address);
      });
    });
    this.address.then(
      () => this.letGo(),
      () => {},
    );
  }

  end(): void {
    this.isOver = true;
    if (!this.child.connected) return;
    this.child.disconnect();
    standardError.print(`the page has ended; it comes back with: proxmo view ${this.dirs.join(' ')}`);
  }

  /** It keeps no process alive. */
  private letGo(): void {
    this.child.once('close', () => this.tellEnd());
    this.child.unref();
    this.child.channel?.unref();
    (this.child.stderr as Socket).unref();
  }

  private tellEnd(): void {
    if (!this.isOver)
      standardError.print(`The page has ended early; training goes on. proxmo view ${this.dirs.join(' ')} opens it.`);
  }
}
