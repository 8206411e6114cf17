/** A program that uses the library, for `proxmo profile -- node …`: one product, some times. */
import { openDevice } from '../../src/gpu/device.node.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { Engine } from '../../src/tensor/engine.ts';
import { input } from '../../src/tensor/tensor.ts';

const gpu = await openDevice();
const engine = new Engine(gpu);
const y = matmul(input('a', [8, 8]), input('b', [8, 8]));
const program = await engine.compile({ name: 'one product', outputs: { y } });
const ones = new Float32Array(64).fill(1);
for (let run = 0; run < 3; run++) await program.run({ a: ones, b: ones });
console.log('the program’s own output');
if (process.argv[2] === 'fail') process.exit(3);
gpu.destroy();
