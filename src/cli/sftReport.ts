/** What `proxmo sft` shows: a live line while it trains, a line for each evaluation, and a table at the end. */
import { stringify } from 'yaml';
import type { AdapterDescription } from '../gpu/adapterDescription.ts';
import type { SftConfig } from '../rl/sft/config.ts';
import { type ChatDataset, sizesOf } from '../rl/sft/dataset.node.ts';
import type { SftEvent, SftSummary } from '../rl/sft/supervisedRun.node.ts';
import { bar } from './bars.ts';
import type { ProgressLine } from './progressLine.ts';
import { RunReporter } from './runReport.ts';
import { duration, formatTable } from './table.ts';

const barWidth = 20;

export class SftReporter extends RunReporter {
  constructor(line: ProgressLine, dir: string, resumed: boolean) {
    super(line, dir, resumed, 'step');
  }

  start(adapter: AdapterDescription, { model, lora }: SftConfig): void {
    const what = lora === null ? 'all weights' : 'adapters';
    this.showAdapter(`fine-tuning ${what} of ${model}`, adapter);
  }

  show(event: SftEvent): void {
    switch (event.kind) {
      case 'begin':
        this.showBegin(event);
        break;
      case 'finished':
        this.line.print(`${this.dir} is finished after ${event.steps} steps; --set training.epochs trains on`);
        break;
      case 'data':
        this.line.print(describeSizes(event.training, event.heldOut));
        break;
      case 'step':
        this.showStep(event);
        break;
      case 'evaluation':
        this.line.print(
          `${event.step === 0 ? 'before training' : `after step ${event.step}`}: held-out loss ${event.result.loss.toFixed(4)} nats a token (perplexity ${event.result.perplexity.toFixed(2)}), ${duration(event.seconds)}`,
        );
        break;
      case 'warning':
        this.line.print(event.text, 'yellow');
        break;
    }
  }

  finish(summary: SftSummary): void {
    this.showEnd(describeSummary(summary));
  }

  private showStep({ outcome, tokens, seconds, run }: SftEvent & { kind: 'step' }): void {
    const { step, totalSteps, epochLoss } = outcome;
    this.line.showParts([
      { text: `${bar(run.share, barWidth)} ${Math.floor(100 * run.share)} %`, colour: 'cyan' },
      ...(run.seconds === null ? [] : [{ text: `${duration(run.seconds)} left`, rank: 1 }]),
      { text: `step ${step}/${totalSteps}`, rank: 2 },
      { text: `loss ${epochLoss.toFixed(4)}`, colour: 'green', rank: 3 },
      { text: `${Math.round(tokens / seconds)} tokens/s`, rank: 4 },
    ]);
  }
}

function describeSizes({ chats, tokens, replyTokens }: ReturnType<typeof sizesOf>, heldOut: number): string {
  return `${chats} chats to learn from, of ${tokens} tokens, ${replyTokens} of them replies; ${heldOut} held out`;
}

function describeSummary(summary: SftSummary): string {
  const { before, after, wallSeconds, tokensPerSecond, adapter, seed, steps, trainingLoss, data } = summary;
  const table =
    before && after
      ? [
          formatTable([
            ['held-out chats', 'before', 'after'],
            ['loss, nats a token', before.loss.toFixed(4), after.loss.toFixed(4)],
            ['perplexity', before.perplexity.toFixed(2), after.perplexity.toFixed(2)],
          ]),
          '',
        ]
      : [];
  return [
    ...table,
    `seed ${seed}, ${steps} steps on ${data.chats} chats, ${duration(wallSeconds)} on ${adapter}`,
    `training loss ${trainingLoss.toFixed(4)}, ${Math.round(tokensPerSecond)} tokens/s`,
  ].join('\n');
}

/** A dry run: the settings, a chat as it is learned, and the memory. */
export function describeDryRun(config: SftConfig, { training, heldOut, decode }: ChatDataset, memory: string): string {
  const { tokens, replies } = training[0]![0]!;
  const ids = Array.from(tokens);
  let at = 0;
  const parts = replies.flatMap(({ start, length }) => {
    const stretch = [
      `read, ${start - at} tokens:\n${decode(ids.slice(at, start))}`,
      `learned, ${length} tokens:\n${decode(ids.slice(start, start + length))}`,
    ];
    at = start + length;
    return stretch;
  });
  return [
    ['configuration', stringify(config).trimEnd()],
    ['data', describeSizes(sizesOf(training), heldOut.length)],
    ['the first chat', parts.join('\n\n')],
    ['memory', memory],
    ['written', 'nothing'],
  ]
    .map(([title, text]) => `== ${title}\n${text}`)
    .join('\n\n');
}
