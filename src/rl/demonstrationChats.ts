/**
 * A teacher's episodes as chats, with the messages that a pretrained policy would have read: what `proxmo sft` learns.
 */
import { ProxmoError } from '../base/errors.ts';
import type { Task, TaskSet } from '../envs/environment.ts';
import { FaultLog } from '../envs/faults.ts';
import { PromptBuilder } from '../text/prompt.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import type { TrainConfig } from './config.ts';
import { demonstrate } from './demonstrations.ts';

/** A row of the file, in the form of OpenAI and TRL. An answer of weight 0 is read and not learned. */
export interface DemonstrationChat {
  readonly messages: readonly { readonly role: 'user' | 'assistant'; readonly content: string; readonly weight?: 0 }[];
}

/**
 * Lets the configuration's teacher play tasks. Each episode is a chat, or with windows each turn.
 * @throws {ProxmoError} `config` if the prompts are no messages; as `demonstrate`
 */
export async function demonstrationChats(
  config: TrainConfig,
  taskSet: TaskSet,
  tasks: readonly Task[],
): Promise<DemonstrationChat[]> {
  const { prompt, warmStart, seed, environment } = config;
  if (prompt.format !== 'think-action')
    throw new ProxmoError(
      'config',
      `prompt.format is ${prompt.format}, whose prompts are no messages; set it to think-action, as presets for pretrained models do.`,
    );
  const script = new Script();
  const prompts = new PromptBuilder(script, {
    history: prompt.history,
    showActions: prompt.options,
    highlight: prompt.highlight,
    format: prompt.format,
    ...(taskSet.thinkAction ? { thinkAction: taskSet.thinkAction } : {}),
    encodeMessage: (message) => [script.add('user', message)],
    encodeFollowUp: (message) => [script.add('user', message)],
  });
  const scribe = { tokenizer: script, prompts, memory: prompt.memory, format: prompt.format };
  const { teacher, noise } = warmStart;
  const sequences = await demonstrate(scribe, taskSet, tasks, {
    teacher,
    noise,
    seed,
    faults: new FaultLog(environment),
  });
  return sequences.map(({ tokens, replies }) => {
    const taught = new Set(replies.map(({ start }) => start));
    return {
      messages: Array.from(tokens).flatMap((id, index) => {
        const line = script.lineOf(id);
        if (line === null) return [];
        return line.role === 'assistant' && !taught.has(index) ? [{ ...line, weight: 0 as const }] : [line];
      }),
    };
  });
}

interface Line {
  readonly role: 'user' | 'assistant';
  readonly content: string;
}

/** Stands in for a tokenizer: a message is one token, so that an episode's tokens are its messages. */
class Script implements Tokenizer {
  readonly endId = 0;
  readonly padId = 0;
  private readonly lines: Line[] = [];

  get vocabSize(): number {
    return this.lines.length + 1;
  }

  /** @returns the message's token */
  add(role: Line['role'], content: string): number {
    return this.lines.push({ role, content });
  }

  /** The message of a token; null for the end of a reply. */
  lineOf(token: number): Line | null {
    return this.lines[token - 1] ?? null;
  }

  encode(reply: string): number[] {
    return [this.add('assistant', reply)];
  }

  decode(ids: ArrayLike<number>): string {
    return Array.from(ids, (id) => this.lineOf(id)?.content ?? '').join('\n');
  }
}
