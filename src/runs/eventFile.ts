/**
 * Event files as TensorBoard reads them: TFRecords (length, CRC-32C of the length, data, CRC-32C of the data) of
 * `Event` messages in protocol buffers, as tensorflow/core/util/event.proto and framework/summary.proto define them.
 * Only what scalars take is written.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';

/** CRC-32C (Castagnoli), of which zlib has none. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});

/** The masked checksum of TFRecord. */
function maskedSum(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of bytes) sum = table[(sum ^ byte) & 0xff]! ^ (sum >>> 8);
  sum = ~sum >>> 0;
  return (((sum >>> 15) | (sum << 17)) + 0xa282ead8) >>> 0;
}

function record(data: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeBigUInt64LE(BigInt(data.length));
  head.writeUInt32LE(maskedSum(head.subarray(0, 8)), 8);
  const tail = Buffer.alloc(4);
  tail.writeUInt32LE(maskedSum(data));
  return Buffer.concat([head, data, tail]);
}

const wire = { varint: 0, bits64: 1, bytes: 2, bits32: 5 };

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return Buffer.from([...bytes, value]);
}

function field(number: number, type: number, content: Buffer): Buffer {
  return Buffer.concat([varint(8 * number + type), content]);
}

function text(number: number, content: Buffer): Buffer {
  return field(number, wire.bytes, Buffer.concat([varint(content.length), content]));
}

function double(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}

function float(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

export type Scalars = readonly (readonly [tag: string, value: number])[];

function versionEvent(seconds: number): Buffer {
  return record(Buffer.concat([field(1, wire.bits64, double(seconds)), text(3, Buffer.from('brain.Event:2'))]));
}

function scalarEvent(seconds: number, step: number, scalars: Scalars): Buffer {
  const values = scalars.map(([tag, value]) =>
    text(1, Buffer.concat([text(1, Buffer.from(tag)), field(2, wire.bits32, float(value))])),
  );
  const summary = text(5, Buffer.concat(values));
  return record(Buffer.concat([field(1, wire.bits64, double(seconds)), field(2, wire.varint, varint(step)), summary]));
}

/** Name of a new event file; TensorBoard knows them by it, and reads them in the order of the names. */
export function eventFileName(seconds: number): string {
  return `events.out.tfevents.${String(Math.floor(seconds)).padStart(10, '0')}.${hostname() || 'host'}.proxmo`;
}

/** Whether a file of that name was made of a run that began then, on whatever machine. */
export function isOfRun(name: string, seconds: number): boolean {
  return name.split('.')[3] === eventFileName(seconds).split('.')[3];
}

/** Writes an event file, one event at a time; a reader sees whole events only. */
export class EventFileWriter {
  readonly #file: number;

  /** @param seconds since 1970, as of all events */
  constructor(path: string, seconds: number) {
    this.#file = openSync(path, 'w');
    this.#write(versionEvent(seconds));
  }

  append(seconds: number, step: number, scalars: Scalars): void {
    if (scalars.length > 0) this.#write(scalarEvent(seconds, step, scalars));
  }

  close(): void {
    closeSync(this.#file);
  }

  #write(bytes: Buffer): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#file, bytes, done);
  }
}
