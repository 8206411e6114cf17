/** The settings that a run estimates advantages with, out of its flat configuration. */
import { computed } from '@preact/signals';
import {
  type AdvantageOptions,
  type AdvantageSettings,
  resolveAdvantageOptions,
} from '../../../rl/advantages/options.ts';
import { run } from '../store.ts';

const prefix = 'advantages.';

/** As they stand in the configuration, without the options of an estimator of one's own, which nothing here reads. */
export const options = computed<AdvantageOptions>(() => {
  const all = Object.entries(run.value?.settings ?? {});
  const given = all.filter(([key, value]) => key.startsWith(prefix) && value !== null);
  const named = given.map(([key, value]) => [key.slice(prefix.length), value] as const);
  return Object.fromEntries(named.filter(([name]) => !/^options\b/.test(name))) as unknown as AdvantageOptions;
});

/** With every default; null where the configuration is not one of this version. */
export const settings = computed<AdvantageSettings | null>(() => {
  try {
    return resolveAdvantageOptions(options.value);
  } catch {
    return null;
  }
});
