/** Values as bytes, and back: JSON, compressed, arrays of float32 in it, and weights as what changed in them. */
import { ProxmoError } from '../base/errors.ts';

/** Most bytes of a message as text. A small one may pretend to hold more than the memory does. */
const largestText = 2 ** 28;

/** A value as compressed JSON. */
export async function packed(value: unknown): Promise<Uint8Array<ArrayBuffer>> {
  return throughStream(new TextEncoder().encode(JSON.stringify(value)), new CompressionStream('gzip'));
}

/**
 * @param most bytes of it as text
 * @throws {ProxmoError} `data` if it is damaged, cut short or larger
 */
export async function unpacked(bytes: Uint8Array, most = largestText): Promise<unknown> {
  try {
    const text = await throughStream(bytes, new DecompressionStream('gzip'), most);
    return JSON.parse(new TextDecoder().decode(text));
  } catch (cause) {
    throw new ProxmoError('data', 'A message is damaged or cut short.', { cause });
  }
}

/** @throws {Error} if more than `most` bytes come out */
async function throughStream(
  bytes: Uint8Array,
  stream: CompressionStream | DecompressionStream,
  most = Number.POSITIVE_INFINITY,
): Promise<Uint8Array<ArrayBuffer>> {
  const writer = stream.writable.getWriter();
  // What goes wrong is told by the reading side too.
  const written = writer
    .write(Uint8Array.from(bytes))
    .then(() => writer.close())
    .catch(() => undefined);
  const parts: Uint8Array[] = [];
  let size = 0;
  for (const reader = stream.readable.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    size += value.length;
    if (size > most) {
      await reader.cancel();
      throw new Error(`more than ${most} bytes`);
    }
  }
  await written;
  return concatenated(parts, size);
}

function concatenated(parts: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/**
 * What changed in an array of float32, to the bit: of each number the difference to the one before, counted in numbers
 * that float32 has between them, so that small changes have small counts whatever the exponent. Counts have their signs
 * in the lowest bit, and lie byte by byte, the lowest of all first; then they are compressed.
 */
export async function packedDifference(
  bytes: Uint8Array<ArrayBuffer>,
  before: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  const [after, base] = [wordsOf(bytes), wordsOf(before)];
  const planes = new Uint8Array(4 * after.length);
  for (let at = 0; at < after.length; at++) {
    const count = (rankOf(after[at]!) - rankOf(base[at]!)) | 0;
    const folded = (count << 1) ^ (count >> 31);
    for (let plane = 0; plane < 4; plane++) planes[plane * after.length + at] = folded >>> (8 * plane);
  }
  return throughStream(planes, new CompressionStream('deflate-raw'));
}

/** @throws {ProxmoError} `data` if it is damaged, or not of the size of what was before */
export async function unpackedDifference(
  packedBytes: Uint8Array,
  before: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  const planes = await throughStream(packedBytes, new DecompressionStream('deflate-raw'), before.length).catch(
    (cause: unknown) => {
      throw new ProxmoError('data', 'What changed in the weights is damaged or cut short.', { cause });
    },
  );
  const base = wordsOf(before);
  const { length } = base;
  if (planes.length !== 4 * length)
    throw new ProxmoError('data', `What changed are ${planes.length / 4} weights of ${length}.`);
  const after = new Uint32Array(length);
  for (let at = 0; at < length; at++) {
    let folded = 0;
    for (let plane = 0; plane < 4; plane++) folded |= planes[plane * length + at]! << (8 * plane);
    after[at] = rankOf(rankOf(base[at]!) + ((folded >>> 1) ^ -(folded & 1)));
  }
  return new Uint8Array(after.buffer);
}

function wordsOf({ buffer, byteOffset, byteLength }: Uint8Array<ArrayBuffer>): Int32Array {
  return new Int32Array(buffer, byteOffset, byteLength / 4);
}

/** The rank of a float32 among all, by its bits as an i32; and back, as it is its own inverse. */
function rankOf(word: number): number {
  return word ^ ((word >> 31) & 0x7fff_ffff);
}

/** Numbers as base64 of float32, little-endian, in which they lose nothing that a device knows of them. */
export function floatsToText(values: ArrayLike<number>): string {
  const bytes = new Uint8Array(Float32Array.from(values).buffer);
  let text = '';
  // In parts: a call takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

/** @throws {ProxmoError} `data` if they are not so many */
export function textToFloats(text: string, count: number): Float32Array<ArrayBuffer> {
  const binary = atob(text);
  if (binary.length !== 4 * count)
    throw new ProxmoError('data', `A message has ${binary.length / 4} numbers where ${count} belong.`);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = binary.charCodeAt(at);
  return new Float32Array(bytes.buffer);
}
