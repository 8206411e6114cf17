/** Reads TensorBoard's event files: just enough of protocol buffers to say what scalars they hold. */

interface Field {
  readonly number: number;
  readonly value: number;
  readonly bytes: Buffer;
}

function* fieldsOf(bytes: Buffer): Generator<Field> {
  for (let at = 0; at < bytes.length; ) {
    const varint = () => {
      let [value, scale] = [0, 1];
      for (let isOpen = true; isOpen; scale *= 128) {
        const byte = bytes[at++]!;
        value += (byte & 127) * scale;
        isOpen = byte > 127;
      }
      return value;
    };
    const key = varint();
    const number = key >> 3;
    const type = key & 7;
    if (type === 0) yield { number, value: varint(), bytes: Buffer.alloc(0) };
    else {
      const length = type === 1 ? 8 : type === 5 ? 4 : varint();
      const content = bytes.subarray(at, (at += length));
      const value = type === 1 ? content.readDoubleLE() : type === 5 ? content.readFloatLE() : 0;
      yield { number, value, bytes: content };
    }
  }
}

export function readEvents(file: Buffer) {
  const events = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    const fields = [...fieldsOf(file.subarray(at + 12, at + 12 + length))];
    const of = (number: number) => fields.find((field) => field.number === number);
    const version = of(3)?.bytes.toString();
    const values = of(5) ? [...fieldsOf(of(5)!.bytes)].map(({ bytes }) => [...fieldsOf(bytes)]) : [];
    const scalars = Object.fromEntries(values.map(([tag, value]) => [tag!.bytes.toString(), value!.value]));
    const seconds = of(1)!.value;
    events.push(version ? { seconds, version } : { seconds, step: of(2)!.value, scalars });
    at += 16 + length;
  }
  return events;
}
