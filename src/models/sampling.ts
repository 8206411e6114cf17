/**
 * How a model's makers sample from it: `generation_config.json` of a Hugging Face folder, or `general.sampling.*` of a
 * GGUF file. What they set and this project has not is named, so that nobody takes one way of sampling for another.
 */
import * as z from 'zod';
import { ProxmoError } from '../base/errors.ts';
import { checked } from '../base/schemaProblems.ts';

export interface ModelSampling {
  /** 0 for the likeliest token. */
  readonly temperature?: number;
  readonly topP?: number;
  /** 0 keeps all tokens. */
  readonly topK?: number;
  /** Settings that are not supported, as `repetition_penalty 1.1`. */
  readonly unsupported: readonly string[];
  /** Where they stand, as `generation_config.json`. */
  readonly from: string;
}

/** Further ways to change what is likely, with the values at which they change nothing. */
const neutral: Readonly<Record<string, number>> = {
  repetition_penalty: 1,
  encoder_repetition_penalty: 1,
  presence_penalty: 0,
  frequency_penalty: 0,
  no_repeat_ngram_size: 0,
  min_p: 0,
  typical_p: 1,
  epsilon_cutoff: 0,
  eta_cutoff: 0,
  penalty_alpha: 0,
  num_beams: 1,
};

const schema = z.looseObject({
  do_sample: z.boolean().nullish(),
  temperature: z.number().min(0).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  top_k: z.int().min(0).nullish(),
});

/**
 * Settings of a `generation_config.json`.
 * @param value what it holds; undefined where there is none
 * @param where names it in messages
 * @throws {ProxmoError} `file` if a setting is of the wrong kind or beyond its bounds
 */
export function samplingOfConfig(value: unknown, where: string): ModelSampling {
  const settings = checked(
    schema,
    value ?? {},
    (problem) => new ProxmoError('file', `${where} is not what it should be: ${problem}; mend it, or fetch it again.`),
  );
  const { do_sample: samples, temperature, top_p: topP, top_k: topK } = settings;
  return {
    // Without sampling, the rest means nothing.
    ...(samples === false ? { temperature: 0 } : given({ temperature, topP, topK })),
    unsupported: Object.entries(neutral).flatMap(([name, same]) =>
      settings[name] === undefined || settings[name] === null || settings[name] === same
        ? []
        : [`${name} ${JSON.stringify(settings[name])}`],
    ),
    from: 'generation_config.json',
  };
}

/** Those that are set. */
function given(
  settings: {
    readonly [name in 'temperature' | 'topP' | 'topK']: number | null | undefined;
  },
): Partial<ModelSampling> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined && value !== null));
}
