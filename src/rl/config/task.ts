/** Settings of what is played, and of what a policy reads of it. */
import * as z from 'zod';
import { faultSettingsShape } from '../../envs/faults.ts';
import { actionFormats } from '../../text/actionFormat.ts';
import { vocabularies } from '../../text/writing.ts';
import { memoryForms } from '../episodeMemory.ts';
import { count, countOrNone } from './values.ts';

export const environment = z
  .strictObject({
    name: z
      .string()
      .default('household')
      .meta({
        description:
          'Environment: a name (`proxmo env list`), or the path of a module of your own that makes a task set.',
        examples: ['./my-env.mjs'],
      }),
    options: z
      .record(z.string(), z.unknown())
      .default({})
      .meta({
        description: 'Options of that environment; each has its own (docs/environments.md).',
        examples: [{ maxSteps: 30 }],
      }),
    ...faultSettingsShape,
  })
  .describe('What is played, and what happens when it fails.');

export const prompt = z
  .strictObject({
    format: z
      .enum(actionFormats)
      .default('plain')
      .describe(
        'What a reply is: the action alone (`plain`), or a thought between think tags and then the action between ' +
          'action tags (`think-action`), for pretrained models.',
      ),
    memory: z
      .enum(memoryForms)
      .default('window')
      .describe(
        'What a policy reads before an action. `window`: each turn is a prompt of its own, with the last turns before ' +
          'it. `transcript`: each turn is read behind all that was read and written before it in its episode, and an ' +
          'episode is one sequence to learn from.',
      ),
    history: countOrNone.default(2).describe('Past turns (observation and action) that a window shows.'),
    options: z.boolean().default(true).describe('Whether the actions on offer are shown.'),
    repeatTask: z
      .boolean()
      .default(false)
      .describe('Whether the task stands once more before each action to take, in the `plain` format.'),
    highlight: z
      .boolean()
      .default(false)
      .describe(
        'Whether a mark, `*`, stands before each word of an observation or a shown action that the task names. A small ' +
          'policy need not learn by itself to compare what it sees with what is asked for.',
      ),
    vocabulary: z
      .enum(vocabularies)
      .default('words')
      .describe(
        "What the tokens of a policy trained from nothing stand for. `words`: the words of the environment's texts. " +
          '`pointers`: places in the task and on the list of actions, for environments with too many words to learn, ' +
          'where they have a form for it.',
      ),
    template: z
      .record(z.string(), z.unknown())
      .default({})
      .meta({
        description: "Variables of a pretrained model's chat template, as `enable_thinking`.",
        examples: [{ enable_thinking: false }],
        needs: { model: 'models/SmolLM2-135M-Instruct' },
      }),
    tools: z
      .array(z.unknown())
      .min(1)
      .optional()
      .meta({
        description: "Descriptions of tools, which a pretrained model's chat template shows. Not set: none.",
        examples: [[{ type: 'function', function: { name: 'look', description: 'Looks around.' } }]],
        needs: { model: 'models/SmolLM2-135M-Instruct' },
      }),
    maxTokens: count
      .default(320)
      .describe(
        'Most tokens of a prompt, or of a transcript. A transcript that is full goes on with the last turns that fit in ' +
          'half of it.',
      ),
  })
  .describe('What a policy reads before it acts.');
