/**
 * Writes small ONNX models: the few fields of its protocol buffers (onnx.proto) that graphs of float32 operators need.
 */

const opset = 17;
/** Of the opset: the newest version of the file format that it came with. */
const irVersion = 8;
const dataTypes = { float32: 1, int64: 7 };

/**
 * @param nodes `[operator, inputs, output, attributes]` in order, names as strings; an attribute is an integer or a
 * list of integers
 * @param inputs names and shapes; the output is `y`, of shape `outputShape`
 * @param constants names, dtypes, shapes and values
 */
export function onnxModel({ nodes, inputs, outputShape, constants = [] }) {
  const graph = [
    ...nodes.map((node) => message(1, nodeOf(node))),
    text(2, 'graph'),
    ...constants.map((constant) => message(5, tensorOf(constant))),
    ...inputs.map(([name, shape]) => message(11, typedName(name, shape))),
    message(12, typedName('y', outputShape)),
  ];
  return Buffer.concat([integer(1, irVersion), message(7, graph), message(8, [integer(2, opset)])]);
}

function nodeOf([operator, inputs, output, attributes = {}]) {
  const written = Object.entries(attributes).map(([name, value]) => message(5, attributeOf(name, value)));
  return [...inputs.map((name) => text(1, name)), text(2, output), text(4, operator), ...written];
}

function attributeOf(name, value) {
  const [integerType, integersType] = [2, 7];
  if (Array.isArray(value)) return [text(1, name), ...value.map((each) => integer(8, each)), integer(20, integersType)];
  return [text(1, name), integer(3, value), integer(20, integerType)];
}

function tensorOf({ name, dtype, shape, values }) {
  const array = dtype === 'int64' ? BigInt64Array.from(values, BigInt) : Float32Array.from(values);
  return [
    ...shape.map((extent) => integer(1, extent)),
    integer(2, dataTypes[dtype]),
    text(8, name),
    bytes(9, Buffer.from(array.buffer)),
  ];
}

function typedName(name, shape) {
  const extents = shape.map((extent) => message(1, [integer(1, extent)]));
  return [text(1, name), message(2, [message(1, [integer(1, dataTypes.float32), message(2, extents)])])];
}

const message = (field, parts) => bytes(field, Buffer.concat(parts));
const text = (field, value) => bytes(field, Buffer.from(value));
const bytes = (field, value) => Buffer.concat([varint((field << 3) | 2), varint(value.length), value]);
const integer = (field, value) => Buffer.concat([varint(field << 3), varint(value)]);

/** Seven bits a byte, least first; negative numbers as 64 bits in two's complement. */
function varint(value) {
  let rest = BigInt.asUintN(64, BigInt(value));
  const written = [];
  for (; rest > 127n; rest >>= 7n) written.push(Number(rest & 127n) | 128);
  return Buffer.from([...written, Number(rest)]);
}
