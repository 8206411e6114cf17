/** `proxmo fleet status`: who works on what, and how fast. */
import { Command } from 'commander';
import type { RunStatus } from '../fleet/status.ts';
import { standardOutput } from './output.ts';
import { formatTable } from './table.ts';

export function fleetCommand(): Command {
  return new Command('fleet').description('Runs that workers play for.').addCommand(statusCommand());
}

function statusCommand(): Command {
  return new Command('status')
    .description('Show the runs of a NATS server, who coordinates them, and who works on what at which speed.')
    .argument('<address>', 'NATS server of the fleet, as nats://HOST:4222')
    .option('--json', 'print it as JSON')
    .action(async (address: string, { json }: { json?: boolean }) => {
      const [{ connectToServer }, { fleetStatus }] = await Promise.all([
        import('../fleet/connect.node.ts'),
        import('../fleet/status.ts'),
      ]);
      const connection = await connectToServer(address, 'proxmo fleet status');
      const runs = await fleetStatus(connection).finally(() => connection.close());
      if (json) standardOutput.json(runs);
      else standardOutput.print(runs.length === 0 ? `no run at ${address}` : runs.map(describeRun).join('\n\n'));
    });
}

function describeRun({ run, version, coordinator, workers }: RunStatus): string {
  const by = coordinator
    ? `${coordinator.at}; coordinated by process ${coordinator.pid} on ${coordinator.host}`
    : 'its coordinator is away; proxmo train --resume goes on with it';
  const rows = workers.map(({ worker, adapter, environments, at, pieces, episodes, tokens, busySeconds }) => [
    worker,
    adapter,
    environments.join(', '),
    at ?? 'waits',
    String(pieces),
    String(episodes),
    busySeconds > 0 ? (tokens / busySeconds).toFixed(0) : '',
  ]);
  const table =
    rows.length === 0
      ? 'no worker'
      : formatTable([['worker', 'adapter', 'plays', 'at', 'pieces', 'episodes', 'tokens/s'], ...rows]);
  return `${run} (proxmo ${version}): ${by}\n${table}`;
}
