/** Writes to standard error as native code does: before, within and after a call that is to be kept quiet. */
import { writeSync } from 'node:fs';
import { keepNativeCodeQuiet, quietly } from '../../src/gpu/quiet.node.ts';

const say = (text) => writeSync(2, `${text}\n`);
if (process.argv[2] !== 'not asked') keepNativeCodeQuiet();
say('before');
const answer = quietly(() => {
  say('within');
  return 42;
});
process.stderr.write(`after ${answer}\n`);
try {
  quietly(() => {
    throw new Error('thrown');
  });
} catch (error) {
  say(error.message);
}
