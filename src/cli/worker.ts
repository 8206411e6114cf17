/** `proxmo worker`: plays pieces of a run that another process coordinates. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { Command } from 'commander';
import { checkedRunName } from '../fleet/protocol.ts';
import type { WorkerEvent, WorkerTally } from '../fleet/worker.ts';
import { openDevice } from '../gpu/device.node.ts';
import { locateModel } from '../models/hub/cache.node.ts';
import { Engine } from '../tensor/engine.ts';
import { adapterOption } from './arguments.ts';
import { standardOutput } from './output.ts';
import { Parent } from './parent.ts';
import { ProgressLine } from './progressLine.ts';
import { onStopSignals } from './stopSignals.ts';
import { duration } from './table.ts';

interface WorkerCliOptions {
  readonly run?: string;
  readonly data?: string;
  readonly model?: string;
  readonly adapter?: string;
  readonly json?: boolean;
}

export function workerCommand(version: string): Command {
  return new Command('worker')
    .description('Play episodes of a run that proxmo train --fleet coordinates, until it ends or Ctrl-C.')
    .argument('<address>', 'NATS server of the fleet, as nats://HOST:4222')
    .option('--run <name>', 'the run to work for (default: any, one after another)')
    .option(
      '--data <dir>',
      "the environment's data here, as options.data of a run (default: where it is found by itself)",
    )
    .option(
      '--model <model>',
      "the pretrained model of the run, as it lies here: a folder, a GGUF file, or OWNER/NAME of the hub's cache",
    )
    .addOption(adapterOption())
    .option('--json', 'print what it did as JSON at its end')
    .action(async (address: string, options: WorkerCliOptions) => {
      const run = options.run === undefined ? null : checkedRunName(options.run);
      const tally = await workAt(address, run, options, version);
      if (options.json) standardOutput.json(tally);
    });
}

async function workAt(
  address: string,
  run: string | null,
  { data, model, adapter }: WorkerCliOptions,
  version: string,
): Promise<WorkerTally> {
  const [{ connectToServer }, { environmentsWith, openTaskSetWith }, { openModelAt }, { work }] = await Promise.all([
    import('../fleet/connect.node.ts'),
    import('../fleet/environment.node.ts'),
    import('../fleet/model.node.ts'),
    import('../fleet/worker.ts'),
  ]);
  const paths = data === undefined ? {} : { data };
  const environments = environmentsWith(paths);
  const path = model === undefined ? null : await locateModel(model);
  const stop = new AbortController();
  onStopSignals(
    () => stop.abort(),
    () => process.exit(130),
  );
  new Parent().onGone(() => stop.abort());
  const line = new ProgressLine();
  const name = hostname();
  const id = `${name.replace(/[^A-Za-z0-9_-]/g, '-').slice(0, 40)}-${process.pid}-${randomBytes(2).toString('hex')}`;
  const connection = await connectToServer(address, `proxmo worker ${id}`);
  const gpu = await openDevice(adapter);
  try {
    line.print(`worker ${id} on ${gpu.adapter.name}, for ${environments.join(', ')}`);
    const tally = await work(connection, new Engine(gpu), {
      id,
      name,
      version,
      run,
      environments,
      openTaskSet: openTaskSetWith(paths),
      openModel: openModelAt(path),
      signal: stop.signal,
      onEvent: (event) => show(line, event),
    });
    line.print(describeTally(tally));
    return tally;
  } finally {
    line.clear();
    gpu.destroy();
    await connection.drain().catch(() => undefined);
  }
}

function show(line: ProgressLine, event: WorkerEvent): void {
  switch (event.kind) {
    case 'waiting':
      line.print(event.run === null ? 'waiting for a run' : `waiting for the run ${event.run}`);
      break;
    case 'joined':
      line.print(`working for ${event.run}`);
      break;
    case 'piece':
      line.show(event.name, `${event.name}, piece ${event.index + 1}: ${event.seconds.toFixed(1)} s`);
      break;
    case 'left':
      line.print(`${event.run} has ended`);
      break;
    case 'notice':
      line.print(event.text, 'yellow');
      break;
  }
}

function describeTally({ pieces, episodes, tokens, busySeconds }: WorkerTally): string {
  return `${pieces} pieces, ${episodes} episodes, ${tokens} tokens in ${duration(busySeconds)}`;
}
