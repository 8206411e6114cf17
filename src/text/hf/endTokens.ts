/**
 * Tokens after which a model has ended its turn, as llama.cpp counts them: those that its files name, and those whose
 * text is known for it. Files name few, and often another one than the chat template ends turns with.
 */

/** Roles as in `tokenizer.ggml.ROLE_token_id`; those of filling in code (fim) stand between files. */
const endRoles = ['eos', 'eot', 'eom', 'fim_pad', 'fim_rep', 'fim_sep'] as const;

/** Texts of which the first that is there has a role that the metadata do not name. */
const textsOfRole: Readonly<Partial<Record<(typeof endRoles)[number], readonly string[]>>> = {
  fim_pad: ['<|fim_pad|>', '<fim-pad>', '<fim_pad>', '<PAD>', '[PAD]'],
  fim_rep: ['<|fim_repo|>', '<|repo_name|>', '<fim-repo>', '<REPO>', '<reponame>'],
  fim_sep: ['<|file_sep|>'],
};

const endTexts: readonly string[] = [
  '<|eot_id|>',
  '<|im_end|>',
  '<|end|>',
  '<|return|>',
  '<|call|>',
  '<|flush|>',
  '<|calls|>',
  '<end_of_turn>',
  '<|endoftext|>',
  '</s>',
  '<|eom_id|>',
  '<EOT>',
  '_<EOT>',
  '[EOT]',
  '[EOS]',
  '<|end_of_text|>',
  '<end_of_utterance>',
  '<eos>',
  '<turn|>',
  '<|tool_response>',
];

/**
 * Ids of the tokens that end a turn, ascending.
 * @param idOfRole the id that the files name for a role, as `eot`, where they do
 * @param idOfText the id of a token that no plain text becomes
 */
export function endTokens(
  idOfRole: (role: string) => number | undefined,
  idOfText: (text: string) => number | undefined,
): number[] {
  const ofRoles = endRoles.map((role) => {
    const text = textsOfRole[role]?.find((each) => idOfText(each) !== undefined);
    return idOfRole(role) ?? (text === undefined ? undefined : idOfText(text));
  });
  const ends = new Set([...ofRoles, ...endTexts.map(idOfText)]);
  // In these vocabularies a turn goes on after the one token: it ends a part of a turn, or is left from another model.
  const has = (text: string) => idOfText(text) !== undefined && ends.has(idOfText(text));
  if ((has('<|return|>') && has('<|call|>')) || (has('<|flush|>') && (has('<|calls|>') || has('<|call|>'))))
    ends.delete(idOfText('<|end|>'));
  if (has('<|tool_response>')) ends.delete(idOfText('</s>'));
  return [...ends].filter((id) => id !== undefined).sort((a, b) => a - b);
}
