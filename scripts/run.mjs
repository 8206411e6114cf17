/** Runs a TypeScript file of the repository: `node scripts/run.mjs src/cli/main.ts [arguments]`. */
import { pathToFileURL } from 'node:url';
import { bundle } from './bundle.mjs';

const [file, ...rest] = process.argv.slice(2);
if (!file) throw new Error('usage: node scripts/run.mjs FILE.ts [arguments]');
const bundled = await bundle(file);
process.argv = [process.argv[0], file, ...rest];
await import(pathToFileURL(bundled).href);
