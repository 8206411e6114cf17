/** A real pretrained model, SmolLM2-135M-Instruct in Q4_1, where `../shared/tools/smollm2` has put it. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { needs } from './needs.ts';

const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
const path = join(cache, 'proxmo-models', 'SmolLM2-135M-Instruct.Q4_1.gguf');

/** Its path; null where it is not. */
export const smollm2: string | null = existsSync(path) ? path : null;
export const needsSmollm2 = needs('SmolLM2-135M', smollm2);
