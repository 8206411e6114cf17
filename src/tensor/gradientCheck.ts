/**
 * Checks an op against a float64 reference: its values, and its gradients against central differences of the reference.
 * One line for a test: `expect(await gradientMismatch(engine, { inputs: { x: [3, 4] }, build: ({ x }) => silu(x),
 * reference: ({ x }) => … })).toBeNull()`.
 */
import { columnSum } from '../../kernels/columnSum.ts';
import { add, multiply } from '../../kernels/elementwise.ts';
import { differentiable, grad } from './autograd.ts';
import type { Engine } from './engine.ts';
import { Random } from './random.ts';
import { constant, input, launch, type Shape, sizeOf, type Tensor } from './tensor.ts';

type Values = ArrayLike<number>;
type InputSpec = Shape | { readonly shape: Shape; readonly values: Values };

/** An op, and the same in float64. */
export interface GradientCheck<Name extends string> {
  /** Shape of each input that a gradient is asked for; standard normal values, or those given. */
  readonly inputs: Readonly<Record<Name, InputSpec>>;
  /** The op, on tensors of these inputs. Index tables and the like are constants within it. */
  readonly build: (tensors: Readonly<Record<NoInfer<Name>, Tensor>>) => Tensor | readonly Tensor[];
  /** The same in float64, for one output or a list of them. It must not keep or change its arguments. */
  readonly reference: (values: Readonly<Record<NoInfer<Name>, Float64Array>>) => Values | readonly Values[];
  /** Default: 1e-4 absolute and relative, a few hundred roundings of float32. */
  readonly tolerance?: { readonly absolute: number; readonly relative: number };
  readonly seed?: number;
}

/** Step of the central differences: its square (their error) and float64's rounding over it are both near 1e-10. */
const step = 1e-5;
/** Most elements of an input whose derivative is checked. */
const mostElements = 200;

/** The first value or gradient beyond the tolerance, as a sentence; null if there is none. */
export async function gradientMismatch<Name extends string>(
  engine: Engine,
  check: GradientCheck<Name>,
): Promise<string | null> {
  const random = new Random(check.seed ?? 1, 'gradient check');
  const tolerance = check.tolerance ?? { absolute: 1e-4, relative: 1e-4 };
  const names = Object.keys(check.inputs) as Name[];
  const { tensors, values } = makeInputs(check, names, random);
  const outputs = asList(check.build(tensors));
  const weights = outputs.map(({ size }) => Float32Array.from({ length: size }, () => random.normal()));
  const result = await runWithGradients(engine, names, tensors, values, outputs, weights);

  const outputsOf = () => asList(check.reference(values));
  const lossOf = () => outputsOf().reduce((sum, output, i) => sum + dot(output, weights[i]!), 0);
  const mismatches = [
    ...outputsOf().map((want, i) =>
      firstMismatch(`output ${i}`, result.outputs[i]!, want, everyElement(want.length), tolerance),
    ),
    ...names.map((name, i) => {
      const chosen = someElements(values[name].length, random);
      const want = centralDifferences(values[name], lossOf, chosen);
      return firstMismatch(`gradient of ${name}`, result.gradients[i]!, want, chosen, tolerance);
    }),
  ];
  return mismatches.find((mismatch) => mismatch !== null) ?? null;
}

/** Tensors that want gradients, and their values, rounded to what the device gets. */
function makeInputs<Name extends string>({ inputs }: GradientCheck<Name>, names: readonly Name[], random: Random) {
  const tensors = {} as Record<Name, Tensor>;
  const values = {} as Record<Name, Float64Array>;
  for (const name of names) {
    const given: InputSpec = inputs[name];
    const shape = isShape(given) ? given : given.shape;
    const start = isShape(given) ? Array.from({ length: sizeOf(shape) }, () => random.normal()) : given.values;
    tensors[name] = input(name, shape);
    tensors[name].requiresGrad = true;
    values[name] = Float64Array.from(Float32Array.from(start));
  }
  return { tensors, values };
}

/** The device's outputs, and its gradients of their weighted sum. */
async function runWithGradients<Name extends string>(
  engine: Engine,
  names: readonly Name[],
  tensors: Readonly<Record<Name, Tensor>>,
  values: Readonly<Record<Name, Float64Array>>,
  outputs: readonly Tensor[],
  weights: readonly Float32Array[],
): Promise<{ outputs: Values[]; gradients: Values[] }> {
  const parameters = names.map((name) => tensors[name]);
  const gradients = grad(weightedSum(outputs, weights), parameters);
  const program = await engine.compile({
    name: 'gradient check',
    outputs: Object.fromEntries([...outputs, ...gradients].map((tensor, i) => [String(i), tensor])),
  });
  const result = await program.run(Object.fromEntries(names.map((name) => [name, Float32Array.from(values[name])])));
  program.destroy();
  const all = [...outputs, ...gradients].map((_, i) => result[String(i)]!);
  return { outputs: all.slice(0, outputs.length), gradients: all.slice(outputs.length) };
}

function firstMismatch(
  name: string,
  got: Values,
  want: Values,
  elements: readonly number[],
  { absolute, relative }: { readonly absolute: number; readonly relative: number },
): string | null {
  if (got.length !== want.length) return `${name} has ${want.length} elements in the reference, not ${got.length}`;
  for (const i of elements) {
    const error = Math.abs(got[i]! - want[i]!);
    if (!(error <= absolute + relative * Math.abs(want[i]!)))
      return `${name}[${i}] is ${got[i]}, not ${want[i]} (error ${error})`;
  }
  return null;
}

function everyElement(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/**
 * All elements of a small input, the first, the last and random ones of a large one: each costs two runs of the
 * reference.
 */
function someElements(count: number, random: Random): number[] {
  if (count <= mostElements) return everyElement(count);
  return [0, count - 1, ...Array.from({ length: mostElements - 2 }, () => random.below(count))];
}

/** Derivative of `lossOf` by the chosen values, which it sees through the array. */
function centralDifferences(values: Float64Array, lossOf: () => number, chosen: readonly number[]): Float64Array {
  const derivatives = new Float64Array(values.length);
  for (const i of chosen) {
    const value = values[i]!;
    values[i] = value + step;
    const above = lossOf();
    values[i] = value - step;
    const below = lossOf();
    values[i] = value;
    derivatives[i] = (above - below) / (2 * step);
  }
  return derivatives;
}

/** A loss in which every element of every output has a weight of its own. */
function weightedSum(outputs: readonly Tensor[], weights: readonly Float32Array[]): Tensor {
  const terms = outputs.map((output, i) => {
    const weight = constant(weights[i]!, output.shape);
    const products = launch(multiply, { count: output.size }, { a: output, b: weight }, { y: output.shape }).y;
    const sum = launch(
      columnSum,
      { rows: output.size, columns: 1, run: Math.max(1, output.size) },
      { x: products },
      { y: [1] },
    ).y;
    return differentiable('weighted sum', [output], sum, () => [weight]);
  });
  return terms.reduce((total, term) =>
    differentiable('add', [total, term], launch(add, { count: 1 }, { a: total, b: term }, { y: [1] }).y, (dy) => [
      dy,
      dy,
    ]),
  );
}

function dot(a: Values, b: Values): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function isShape(given: InputSpec): given is Shape {
  return Array.isArray(given);
}

/** A list as it is; one tensor or one array of numbers as a list of one. */
function asList<T extends object>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) && typeof value[0] === 'object' ? (value as readonly T[]) : [value as T];
}
