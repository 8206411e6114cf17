/**
 * The source of an environment of one step that even an untrained model wins now and then: by any reply with a vowel.
 */

/** @param tasks a task for each letter */
export function vowelWorld(tasks: string): string {
  return `export default (options, { defineTaskSet }) => defineTaskSet({
    name: 'doors',
    maxSteps: 1,
    tasks: [...'${tasks}'].map((id) => ({ id, type: 'door' })),
    instruction: () => 'go',
    *play() {
      const action = yield { observation: 'two doors', actions: ['left', 'right'] };
      return { observation: 'over', success: /[aeiou]/.test(action) };
    },
  });`;
}
