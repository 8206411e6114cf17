/** The parts of a reference that concern the tokenizer of a model. */
import type { PretrainedModel } from '../../models/pretrained.node.ts';
import type { Check } from './compare.ts';
import type { Expected } from './expected.ts';

/** @throws {ProxmoError} `file` if the tokenizer cannot be loaded */
export async function verifyTokenizer(
  model: Pick<PretrainedModel, 'loadTokenizer'>,
  { tokenizer: texts, chat }: Pick<Expected, 'tokenizer' | 'chat'>,
): Promise<Check[]> {
  if (!texts && !chat) return [];
  const tokenizer = await model.loadTokenizer();
  const checks: Check[] = [];
  if (texts) {
    const wrong = texts.filter(
      ({ text, ids }) => tokenizer.encode(text, { parseSpecials: true, addSpecials: true }).join() !== ids.join(),
    );
    const where = wrong[0] ? `the ids of ${JSON.stringify(wrong[0].text)} differ` : `${texts.length} texts equal`;
    checks.push({ name: 'tokenizer', error: wrong.length, tolerance: 0, passed: wrong.length === 0, where });
  }
  if (chat) {
    const text = tokenizer.applyChatTemplate(chat.messages, { addGenerationPrompt: true });
    const passed = text === chat.text;
    const where = passed ? 'text equal' : `the text is ${JSON.stringify(text)}`;
    checks.push({ name: 'chat template', error: passed ? 0 : 1, tolerance: 0, passed, where });
  }
  return checks;
}
