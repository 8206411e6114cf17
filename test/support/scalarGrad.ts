/** A scalar autograd in float64: slow, small, and independent of the engine. The oracle for whole-model gradients. */

export class Value {
  gradient = 0;

  constructor(
    readonly data: number,
    private readonly parents: readonly Value[] = [],
    private readonly slopes: readonly number[] = [],
  ) {}

  plus(other: Value): Value {
    return new Value(this.data + other.data, [this, other], [1, 1]);
  }

  times(other: Value | number): Value {
    return typeof other === 'number'
      ? new Value(this.data * other, [this], [other])
      : new Value(this.data * other.data, [this, other], [other.data, this.data]);
  }

  power(exponent: number): Value {
    return new Value(this.data ** exponent, [this], [exponent * this.data ** (exponent - 1)]);
  }

  exp(): Value {
    const data = Math.exp(this.data);
    return new Value(data, [this], [data]);
  }

  log(): Value {
    return new Value(Math.log(this.data), [this], [1 / this.data]);
  }

  /** Sets `gradient` of everything this value was computed from. */
  backward(): void {
    const order: Value[] = [];
    const seen = new Set<Value>();
    const open: { value: Value; next: number }[] = [{ value: this, next: 0 }];
    seen.add(this);
    for (let top = open.at(-1); top; top = open.at(-1)) {
      const parent = top.value.parents[top.next++];
      if (!parent) order.push(open.pop()!.value);
      else if (!seen.has(parent)) {
        seen.add(parent);
        open.push({ value: parent, next: 0 });
      }
    }
    this.gradient = 1;
    for (const value of order.reverse()) {
      value.parents.forEach((parent, index) => {
        parent.gradient += value.gradient * value.slopes[index]!;
      });
    }
  }
}

export function sum(values: readonly Value[]): Value {
  return new Value(
    values.reduce((total, { data }) => total + data, 0),
    values,
    values.map(() => 1),
  );
}

export function dot(a: readonly Value[], b: readonly Value[]): Value {
  return sum(a.map((x, i) => x.times(b[i]!)));
}
