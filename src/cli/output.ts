/**
 * Standard output and standard error, the only way by which commands write to them. What is written is safe for a
 * terminal (`printable`), and an output that fails never ends the process: a command goes on, and `finish` says at its
 * end what became of its output.
 */
import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { printable } from '../base/printable.ts';
import { systemReason } from '../base/systemErrors.node.ts';

/** One of the two streams. */
export class Output {
  /** Aborted once nothing that is written arrives any more, as when the reader of a pipe has ended. */
  readonly closed: AbortSignal;
  private readonly closing = new AbortController();
  private problem: NodeJS.ErrnoException | null = null;

  constructor(
    private readonly stream: NodeJS.WriteStream & { readonly fd: number },
    private readonly writeToFile = writeSync,
  ) {
    this.closed = this.closing.signal;
    // Without a listener, an error of the stream would end the process.
    stream.on('error', (error) => this.fail(error));
  }

  /** Columns of the terminal; null where it is none. */
  get columns(): number | null {
    return this.stream.isTTY ? this.stream.columns || 80 : null;
  }

  /** Whether it is a terminal that shows colours, and the user wants them (`NO_COLOR`, `FORCE_COLOR`, `TERM`). */
  get hasColours(): boolean {
    return this.stream.isTTY === true && this.stream.hasColors();
  }

  /** Why the output fails; null as long as it does not. */
  get failure(): NodeJS.ErrnoException | null {
    return this.problem;
  }

  /** Writes a text as it stands, but for control characters. */
  write(text: string): void {
    this.control(printable(text));
  }

  /** Writes a text and ends its line. */
  print(text: string): void {
    this.write(`${text}\n`);
  }

  /** Writes a value as indented JSON. */
  json(value: unknown): void {
    this.print(JSON.stringify(value, null, 2));
  }

  /** Writes what a terminal shall obey, and no text from outside. */
  control(sequence: string): void {
    if (this.problem) return;
    // Node writes to a file at once, and takes the part that a full disk had room for as the whole.
    if (this.stream instanceof Socket) this.stream.write(sequence, (error) => error && this.fail(error));
    else this.writeWhole(sequence);
  }

  /** Waits until everything is written, or has failed. */
  async drained(): Promise<void> {
    if (this.problem || !(this.stream instanceof Socket)) return;
    await new Promise<void>((resolve) => {
      this.stream.write('', (error) => {
        if (error) this.fail(error);
        resolve();
      });
    });
  }

  private writeWhole(text: string): void {
    const bytes = Buffer.from(text);
    try {
      for (let done = 0; done < bytes.length; ) done += this.writeToFile(this.stream.fd, bytes, done);
    } catch (error) {
      this.fail(error as NodeJS.ErrnoException);
    }
  }

  private fail(error: NodeJS.ErrnoException): void {
    this.problem ??= error;
    this.closing.abort();
  }
}

export const standardOutput = new Output(process.stdout);
export const standardError = new Output(process.stderr);

/**
 * Waits until both streams are written, and says on standard error what could not be. A reader that has ended is no
 * failure: it had what it wanted.
 * @param code exit code of the command
 * @returns the exit code, which is not 0 where the output is not whole
 */
export async function finish(
  code: number,
  [output, error]: readonly [Output, Output] = [standardOutput, standardError],
): Promise<number> {
  await output.drained();
  const { failure } = output;
  const isBroken = failure !== null && failure.code !== 'EPIPE';
  if (isBroken)
    error.print(
      `proxmo: The output could not be written whole: ${systemReason(failure)}; make room, or send it elsewhere.`,
    );
  await error.drained();
  return isBroken && code === 0 ? 1 : code;
}
