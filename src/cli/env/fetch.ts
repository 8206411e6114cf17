/** `proxmo env fetch`: gets the data of an environment from where their authors publish them. */
import { Command, InvalidArgumentError } from 'commander';
import { ProxmoError } from '../../base/errors.ts';
import type { DataFetcher, FetchedData } from '../../envs/dataFetcher.ts';
import { environmentEntries } from '../../envs/registry.node.ts';
import { noSuchName } from '../noSuchName.ts';
import { standardOutput } from '../output.ts';
import { ProgressLine } from '../progressLine.ts';
import { describeDownload, describeSteps, Pace } from '../transfer.ts';

interface FetchOptions {
  readonly from?: string;
  readonly to?: string;
  readonly sha256?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

export function fetchCommand(): Command {
  return new Command('fetch')
    .description(
      "Fetch an environment's data: download the release of its authors, check size and hash, unpack. A download that broke off goes on.",
    )
    .argument('<environment>', 'alfworld')
    .option('--from <url|file>', 'a mirror, or the archive, if it was downloaded by other means')
    .option('--to <dir>', 'folder for the data (default: where the environment looks for them by itself)')
    .option('--sha256 <hash>', 'SHA-256 of the archive, if it is another one than the release', sha256)
    .option('--force', 'replace data that are there')
    .option('--json', 'print what lies there as JSON')
    .action(async (name: string, options: FetchOptions) => {
      const { json, ...request } = options;
      const fetchData = fetcherOf(name);
      const line = new ProgressLine();
      const pace = new Pace();
      try {
        const data = await fetchData({
          ...request,
          onProgress: (progress) =>
            line.show(
              progress.phase,
              progress.phase === 'downloading' ? describeDownload(progress, pace) : describeSteps(progress),
            ),
        });
        line.clear();
        if (json) standardOutput.json(data);
        else standardOutput.print(summary(name, data, options.to));
      } finally {
        line.clear();
      }
    });
}

/** @throws {ProxmoError} `usage` if the environment has nothing to fetch */
function fetcherOf(name: string): DataFetcher {
  const entry = environmentEntries.find((candidate) => candidate.name === name);
  const fetchable = environmentEntries.filter(({ fetch }) => fetch !== undefined).map((each) => each.name);
  if (entry?.fetch) return entry.fetch;
  if (entry === undefined) throw noSuchName('environment to fetch', name, fetchable);
  throw new ProxmoError('usage', `The data of ${name} cannot be fetched (${entry.data}); ${fetchable.join(', ')} can.`);
}

function summary(name: string, { folder, isNew, tasks }: FetchedData, to: string | undefined): string {
  const counts = Object.entries(tasks).map(([split, count]) => `${split} ${count}`);
  const data = `environment.options.data=${folder}`;
  const option = to === undefined ? '' : ` --set ${/^[\w./=-]+$/.test(data) ? data : `'${data}'`}`;
  const state = isNew ? `${name} is in ${folder}` : `${name} was in ${folder} already (--force fetches it again)`;
  return `${state}: ${counts.join(', ')} tasks\nproxmo train --env ${name}${option}`;
}

function sha256(value: string): string {
  if (!/^[0-9a-f]{64}$/i.test(value)) throw new InvalidArgumentError('It must be 64 hexadecimal digits.');
  return value.toLowerCase();
}
