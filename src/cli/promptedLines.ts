/** Lines of standard input, each asked for by a mark. They are read as they are made: what arrives sooner is lost. */
import { createInterface, type Interface } from 'node:readline';
import { standardOutput } from './output.ts';

export class PromptedLines {
  private readonly lines: Interface;
  private isOpen = true;

  /** @param output where the mark goes, and what is typed where this is a terminal */
  constructor(output: NodeJS.WriteStream) {
    this.lines = createInterface({
      input: process.stdin,
      output,
      terminal: process.stdin.isTTY && output.isTTY,
      prompt: '> ',
      signal: standardOutput.closed,
    });
    this.lines.once('close', () => {
      this.isOpen = false;
    });
  }

  /** Asks for the next line. Of a pipe that has ended there may be lines left, but from Node 24 on nothing to ask. */
  ask(): void {
    if (this.isOpen) this.lines.prompt();
  }

  [Symbol.asyncIterator](): AsyncIterator<string> {
    return this.lines[Symbol.asyncIterator]();
  }
}
