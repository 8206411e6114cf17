/** `proxmo env demonstrate`: a teacher's episodes as chats, for `proxmo sft`. */
import { Command } from 'commander';
import { refuseExisting, writeFileAtomic } from '../../base/atomicFile.node.ts';
import { ProxmoError } from '../../base/errors.ts';
import { createNamedTaskSet } from '../../envs/registry.node.ts';
import { agreeTo, requireAgreement } from '../../rl/agreement.node.ts';
import { demonstrationChats } from '../../rl/demonstrationChats.ts';
import { RunTasks } from '../../rl/runTasks.ts';
import { count, repeatedOption, wholeNumber } from '../arguments.ts';
import { newRunConfig } from '../newConfig.ts';
import { standardOutput } from '../output.ts';
import { presetNames } from '../presetNames.ts';
import { agreement, isTyped, trustOption } from '../trust.ts';

interface DemonstrateOptions {
  readonly preset?: string;
  readonly env?: string;
  readonly set: readonly string[];
  readonly tasks?: number;
  readonly seed?: number;
  readonly out: string;
  readonly trust?: boolean;
}

export function demonstrateCommand(): Command {
  return new Command('demonstrate')
    .description(
      'Write the episodes of an expert as chats, a JSON object a line, with the messages that a pretrained policy reads by the same settings: what proxmo sft --data learns from.',
    )
    .argument('[config]', 'YAML file with the settings of a training run')
    .option('--preset <name>', `named settings to start from: ${presetNames.join(', ')} (default: pretrained)`)
    .option('--env <name>', 'environment: a name (proxmo env list) or the path of a module')
    .addOption(repeatedOption('--set <key=value>', 'one setting, as prompt.memory=transcript'))
    .option('--tasks <n>', 'training tasks that are demonstrated (default: warmStart.tasks)', count)
    .option('--seed <n>', 'seed of the choice of tasks', wholeNumber)
    .requiredOption('--out <file>', 'file to write')
    .addOption(trustOption())
    .action(async (file: string | undefined, options: DemonstrateOptions) => {
      const { preset = 'pretrained', env, tasks, seed, out } = options;
      await refuseExisting(out, 'demonstrations');
      const set = [
        ...options.set,
        ...(env === undefined ? [] : [`environment.name=${JSON.stringify(env)}`]),
        ...(tasks === undefined ? [] : [`warmStart.tasks=${tasks}`]),
        ...(seed === undefined ? [] : [`seed=${seed}`]),
        // What plays is no model, so that none need be there.
        'lora=null',
      ];
      const config = await newRunConfig(preset, { ...(file === undefined ? {} : { file }), set });
      const { environment, warmStart } = config;
      if (warmStart.tasks === 0)
        throw new ProxmoError('usage', 'There is nothing to demonstrate: warmStart.tasks is 0; give --tasks.');
      if (file !== undefined && !(await isTyped({ environment }, set)))
        await requireAgreement({ environment }, file, agreement(options.trust));
      else await agreeTo({ environment });
      const taskSet = await createNamedTaskSet(environment.name, environment.options);
      try {
        const { demonstrated } = new RunTasks(taskSet, config);
        const chats = await demonstrationChats(config, taskSet, demonstrated);
        if (chats.length === 0)
          throw new ProxmoError('environment', `The teacher finished none of ${demonstrated.length} tasks.`);
        await writeFileAtomic(out, [chats.map((chat) => `${JSON.stringify(chat)}\n`).join('')]);
        standardOutput.print(`${out}: ${chats.length} chats of ${demonstrated.length} tasks of ${environment.name}`);
      } finally {
        await taskSet.close?.();
      }
    });
}
