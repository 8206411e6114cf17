/** How `proxmo generate` samples: as its options say, else as the model's makers or its run do, else plainly. */
import type { SamplingControls } from '../../nn/generator.ts';
import type { PolicySource } from '../../rl/policySource.ts';

/** Options of the command line. */
export interface SamplingFlags {
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly seed: number;
}

const names = { temperature: 'temperature', topP: 'top-p', topK: 'top-k' } as const;
/** All tokens by their probabilities. */
const plain = { temperature: 1, topP: 1, topK: 0 };

/** What applies, and a sentence that says so. */
export function samplingOf(
  flags: SamplingFlags,
  { sampling }: Pick<PolicySource, 'sampling'>,
): { readonly controls: SamplingControls; readonly notes: readonly string[] } {
  const chosen = (['temperature', 'topP', 'topK'] as const).map((key) => {
    const [value, from] =
      flags[key] !== undefined
        ? [flags[key], `--${names[key]}`]
        : sampling?.[key] !== undefined
          ? [sampling[key], sampling.from]
          : [plain[key], 'default'];
    return { key, value, note: `${names[key]} ${value} (${from})` };
  });
  const [temperature, topP, topK] = chosen.map(({ value }) => value) as [number, number, number];
  // The likeliest token is the same, whatever is left out.
  const told = temperature === 0 ? chosen.slice(0, 1) : chosen;
  const others = sampling?.unsupported ?? [];
  return {
    controls: { seed: flags.seed, temperature, topP, topK },
    notes: [
      `sampling: ${told.map(({ note }) => note).join(', ')}`,
      ...(others.length === 0 ? [] : [`not supported and left out, from ${sampling!.from}: ${others.join(', ')}`]),
    ],
  };
}
