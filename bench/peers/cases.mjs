/** What is compared, with inputs that are the same in every process. */

/** A product, a softmax by rows, and the softmax-weighted baselines by cosine similarity of ProxMO (one group of sparse unit vectors). */
export const cases = [
  { name: 'matmul', shape: { m: 512, n: 512, k: 512 } },
  { name: 'softmax', shape: { rows: 1024, width: 300 } },
  { name: 'proximity', shape: { keys: 512, length: 30, features: 1024, temperature: 0.1 } },
];

/** Uniform numbers in [-1, 1) from a linear congruential generator. */
export function uniformNumbers(count, seed) {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** The columns and weights of each key's unit vector, in the order of the columns; and each key's return. */
export function sparseVectors({ keys, length, features }) {
  const numbers = uniformNumbers(keys * length, 3);
  const vectors = Array.from({ length: keys }, (_, key) => {
    const chosen = new Set(Array.from({ length }, (_, e) => (7 * key + 3 * e * (e + 1)) % features));
    const columns = [...chosen].sort((a, b) => a - b);
    const raw = columns.map((_, e) => Math.abs(numbers[key * length + e]) + 0.1);
    const norm = Math.hypot(...raw);
    return { columns, weights: raw.map((weight) => weight / norm) };
  });
  return { vectors, returns: uniformNumbers(keys, 4) };
}

/** A number that two results share only if they agree: compared within 0.1 %. */
export function checksum(values) {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += Math.abs(values[i]) * (1 + (i % 7));
  return sum;
}

/** Median, least and most milliseconds of a call from host arrays to host arrays, after two calls that warm up. */
export async function timeCalls(call, repeats = 9) {
  const times = [];
  for (let i = 0; i < repeats + 2; i++) {
    const start = performance.now();
    await call();
    if (i >= 2) times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return { median: times[Math.floor(repeats / 2)], min: times[0], max: times[repeats - 1] };
}
