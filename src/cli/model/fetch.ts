/** `proxmo model fetch`: gets a model from the Hugging Face Hub, to where all of the hub's programs look for it. */
import { Command } from 'commander';
import { fetchModel } from '../../models/hub/fetchModel.node.ts';
import { requireHubName } from '../../models/hub/names.ts';
import { repeatedOption } from '../arguments.ts';
import { standardOutput } from '../output.ts';
import { ProgressLine } from '../progressLine.ts';
import { describeDownload, megabytes, Pace } from '../transfer.ts';

interface FetchOptions {
  readonly file: readonly string[];
  readonly revision?: string;
  readonly json?: boolean;
}

export function fetchCommand(): Command {
  return new Command('fetch')
    .description(
      "Fetch a model from the Hugging Face Hub into the hub's cache (HF_HOME), where --model OWNER/NAME finds it, and Python, too. Files are checked by their hashes; a download that broke off goes on. HF_TOKEN is used where it is set.",
    )
    .argument('<model>', 'OWNER/NAME')
    .addOption(
      repeatedOption(
        '--file <name>',
        'a file, in whose name * stands for anything (default: configuration, tokenizer and safetensors, or the only GGUF file)',
      ),
    )
    .option('--revision <name>', 'branch, tag or commit (default: main)')
    .option('--json', 'print what was fetched as JSON')
    .action(async (model: string, { file, revision, json }: FetchOptions) => {
      const name = requireHubName(model, revision);
      const wanted = name.file === null ? file : [...file, name.file];
      const line = new ProgressLine();
      const pace = new Pace();
      try {
        const fetched = await fetchModel(name, wanted, ({ path, done, total }) =>
          line.show('downloading', describeDownload({ phase: 'downloading', done, total }, pace, path)),
        );
        line.clear();
        if (json) return standardOutput.json(fetched);
        const { id, commit, folder, files } = fetched;
        const size = megabytes(files.reduce((sum, { bytes }) => sum + bytes, 0));
        const names = files.map((each) => each.path).join(', ');
        standardOutput.print(`${id} (${commit.slice(0, 12)}) is in ${folder}: ${size} MB, ${names}`);
      } finally {
        line.clear();
      }
    });
}
