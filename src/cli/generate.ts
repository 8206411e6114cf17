/** `proxmo generate`: text from a pretrained model or a trained policy, as it is sampled. */
import { Command, Option } from 'commander';
import { ProxmoError } from '../base/errors.ts';
import { textOfInput } from '../base/wholeFile.node.ts';
import { openDevice } from '../gpu/device.node.ts';
import type { SamplingControls } from '../nn/generator.ts';
import type { Precision } from '../nn/precision.ts';
import { encodeText } from '../rl/generate/generateText.ts';
import type { ChatSettings, PolicySource } from '../rl/policySource.ts';
import { Engine } from '../tensor/engine.ts';
import type { ChatMessage } from '../text/hf/chatTemplate.ts';
import {
  adapterOption,
  count,
  modelOrRun,
  nonFiniteOption,
  nonNegative,
  precisionOption,
  repeatedOption,
  share,
  wholeNumber,
} from './arguments.ts';
import { type AnswerOptions, type AnswerStatistics, answer } from './generate/answer.ts';
import { answerMany } from './generate/answerMany.ts';
import { type ChatFlags, readChatSettings } from './generate/chatSettings.ts';
import { converse, openingOf } from './generate/conversation.ts';
import { type PromptLine, parsePrompts } from './generate/prompts.ts';
import { type SamplingFlags, samplingOf } from './generate/sampling.ts';
import { checkSource, encodeConversation, openSource } from './generate/source.ts';
import { standardError, standardOutput } from './output.ts';
import { PromptedLines } from './promptedLines.ts';

interface GenerateOptions extends ChatFlags, SamplingFlags {
  readonly model: string;
  readonly prompt?: string;
  readonly promptFile?: string;
  readonly prompts?: string;
  readonly batch: number;
  readonly maxTokens?: number;
  readonly stop: readonly string[];
  readonly samples: number;
  readonly precision?: Precision;
  readonly allowNonfinite?: boolean;
  readonly adapter?: string;
  readonly json?: boolean;
}

export function generateCommand(): Command {
  return new Command('generate')
    .description(
      'Continue a prompt, or talk, with a pretrained model or a trained policy. Text goes to standard output, figures to standard error.',
    )
    .requiredOption('--model <path>', modelOrRun)
    .addOption(new Option('--prompt <text>', 'what to continue, or with --chat what to answer').conflicts('promptFile'))
    .addOption(
      new Option(
        '--prompts <file>',
        'many prompts, a line of JSON each: a text, {"prompt": …} or, with --chat, {"messages": […]}; prints a line of JSON for each, in their order',
      ).conflicts(['prompt', 'promptFile', 'json', 'samples']),
    )
    .option('--batch <n>', 'most of the --prompts at a time', count, 16)
    .option('--prompt-file <file>', 'the prompt in a file; - for standard input')
    .option(
      '--chat',
      "put the prompt into the model's chat template; on a terminal without a prompt, talk line by line",
    )
    .option('--system <text>', 'system message, with --chat')
    .option('--max-tokens <n>', 'most tokens of a reply (default: 256, or what the model has room for)', count)
    .addOption(repeatedOption('--template-var <name=value>', 'variable of the chat template, as enable_thinking=false'))
    .option('--tools <file>', 'JSON list of tools that the chat template shows')
    .option(
      '--temperature <t>',
      "sampling temperature, 0 for the likeliest token (default, as for --top-p and --top-k: the model's or the run's own, else 1)",
      nonNegative,
    )
    .option('--top-p <p>', 'keep the likeliest tokens up to this share of probability', share)
    .option('--top-k <n>', 'keep this many of the likeliest tokens; 0 for all', wholeNumber)
    .option('--seed <n>', 'seed of the sampling', wholeNumber, 1)
    .addOption(repeatedOption('--stop <text>', 'end the reply before this text'))
    .option('--samples <n>', 'replies to the same prompt', count, 1)
    .addOption(precisionOption())
    .addOption(nonFiniteOption())
    .addOption(adapterOption())
    .option('--json', 'print replies and figures as JSON')
    .action(async (options: GenerateOptions) => {
      const chat = await readChatSettings(options);
      const lines = await readPrompts(options);
      const prompt = lines ? null : await readPrompt(options);
      const path = await checkSource(options.model);
      const gpu = await openDevice(options.adapter);
      try {
        const engine = new Engine(gpu);
        const source = await openSource(engine, path, options.precision, options.allowNonfinite);
        const { controls, notes } = samplingOf(options, source);
        for (const note of notes) standardError.print(note);
        const session = { engine, source, options, chat, controls };
        if (lines) await continueAll(session, lines);
        else if (prompt === null) await talk(session);
        else await continuePrompt(session, prompt);
      } finally {
        gpu.destroy();
      }
    });
}

/** The lines of --prompts; null without it. */
async function readPrompts({ prompts, chat }: GenerateOptions): Promise<PromptLine[] | null> {
  if (prompts === undefined) return null;
  const where = prompts === '-' ? 'standard input' : prompts;
  return parsePrompts(await textOfInput(prompts, 'give a file with a prompt a line'), where, chat ?? false);
}

/** The prompt; null for a conversation on the terminal. */
async function readPrompt({ prompt, promptFile, chat, json, samples }: GenerateOptions): Promise<string | null> {
  if (prompt !== undefined) return prompt;
  if (promptFile !== undefined) return textOfInput(promptFile, 'give the path of a text file');
  if (chat && process.stdin.isTTY && !json && samples === 1) return null;
  throw new ProxmoError('usage', 'There is no prompt; give --prompt or --prompt-file, or --chat on a terminal.');
}

/** What answers are made with. */
interface Session {
  readonly engine: Engine;
  readonly source: PolicySource;
  readonly options: GenerateOptions;
  readonly chat: ChatSettings;
  readonly controls: SamplingControls;
}

async function continuePrompt(session: Session, prompt: string): Promise<void> {
  const { engine, source, options, controls } = session;
  const { model, samples, json } = options;
  const ids = encodePrompt(session, prompt);
  if (ids.length === 0) throw new ProxmoError('usage', 'The prompt is empty; give at least one character.');
  const isStreamed = !json && samples === 1;
  const onText = (_: number, piece: string) => {
    if (isStreamed) standardOutput.write(piece);
  };
  const { answers, statistics } = await answer(engine, source, ids, {
    ...answerOptions(session),
    turn: 0,
    onText,
  });
  if (json) {
    const replies = answers.map(({ text, tokens, logProb, finishReason }) => ({ text, tokens, logProb, finishReason }));
    const adapter = engine.gpu.adapter.name;
    const { seed, ...sampling } = controls;
    standardOutput.json({ model, adapter, seed, sampling, replies, ...statistics });
    return;
  }
  if (isStreamed) standardOutput.write('\n');
  else
    for (const [index, { text }] of answers.entries()) standardOutput.print(`--- ${index + 1} of ${samples}\n${text}`);
  standardError.print(describe(statistics));
}

/** Tokens of a text to continue, with --chat of one to answer. */
function encodePrompt(session: Session, text: string): number[] {
  const { source, options } = session;
  return options.chat ? encodeMessages(session, [{ role: 'user', content: text }]) : encodeText(source, text);
}

/** Tokens of a conversation, behind the system message. */
function encodeMessages({ source, options, chat }: Session, messages: readonly ChatMessage[]): number[] {
  return encodeConversation(source, [...openingOf(options.system), ...messages], options.model, chat);
}

/** Answers the lines of --prompts, each with a line. */
async function continueAll(session: Session, lines: readonly PromptLine[]): Promise<void> {
  const { engine, source, options, controls } = session;
  const { maxTokens, stop, batch, prompts: file } = options;
  const prompts = lines.map((each) => ({
    ids: 'messages' in each ? encodeMessages(session, each.messages) : encodePrompt(session, each.prompt),
    where: `${file}, line ${each.line}`,
  }));
  const started = performance.now();
  let newTokens = 0;
  await answerMany(engine, source, prompts, {
    controls,
    stop,
    batch,
    ...(maxTokens === undefined ? {} : { maxTokens }),
    isRead: () => !standardOutput.closed.aborted,
    onAnswer: (index, { text, tokens, logProb, finishReason }) => {
      const { line, id } = lines[index]!;
      const promptTokens = prompts[index]!.ids.length;
      newTokens += tokens.length;
      const named = id === undefined ? { line } : { line, id };
      const figures = { finishReason, promptTokens, newTokens: tokens.length, logProb };
      standardOutput.print(JSON.stringify({ ...named, text, ...figures }));
    },
  });
  const seconds = (performance.now() - started) / 1000;
  const rate = (newTokens / seconds).toFixed(1);
  standardError.print(`${lines.length} prompts, ${newTokens} new tokens in ${seconds.toFixed(2)} s (${rate} tokens/s)`);
}

async function talk(session: Session): Promise<void> {
  const { engine, source, options, chat } = session;
  encodeConversation(source, [{ role: 'user', content: '' }], options.model, chat);
  const lines = new PromptedLines(process.stderr);
  lines.ask();
  await converse(lines, options.system, async (messages, turn) => {
    const onText = (_: number, piece: string) => standardOutput.write(piece);
    const prompt = encodeConversation(source, messages, options.model, chat);
    const { answers, statistics } = await answer(engine, source, prompt, { ...answerOptions(session), turn, onText });
    standardOutput.write('\n');
    standardError.print(describe(statistics));
    lines.ask();
    return answers[0]?.text ?? '';
  });
}

function answerOptions({
  controls,
  options: { maxTokens, stop, samples },
}: Session): Omit<AnswerOptions, 'turn' | 'onText'> {
  return {
    controls,
    stop,
    samples,
    ...(maxTokens === undefined ? {} : { maxTokens }),
    isRead: () => !standardOutput.closed.aborted,
  };
}

function describe({
  promptTokens,
  newTokens,
  seconds,
  tokensPerSecond,
  secondsToFirstToken,
}: AnswerStatistics): string {
  return `${promptTokens} prompt tokens, ${newTokens} new tokens in ${seconds.toFixed(2)} s (${tokensPerSecond.toFixed(1)} tokens/s), the first after ${secondsToFirstToken.toFixed(2)} s`;
}
