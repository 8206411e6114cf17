/**
 * How the objects of a problem are called in texts. A naming rule sees the ids of the objects that occur in the initial
 * facts, in order of code points, and gives each its name.
 */

/** Ids in order → names in the same order. */
export type NamingRule = (ids: readonly string[]) => readonly string[];

/** TextWorld's own rule: an object is called by its id. */
export const nameById: NamingRule = (ids) => ids;

/**
 * ALFWorld's rule for ids such as `cabinet_bar__minus_01_dot_00_bar_…`: the part before the first `_bar_` (with `basin`
 * appended where the id contains that word), and a number. Numbers run down along the sorted ids: of three cabinets,
 * the first id is `cabinet 3`. An id without `_bar_` is called itself and a blank.
 */
export const nameByClass: NamingRule = (ids) => {
  const classes = ids.map((id) => {
    const bar = id.indexOf('_bar_');
    if (bar < 0) return null;
    const name = id.slice(0, bar);
    return unmangle(id.includes('basin') ? `${name}basin` : name);
  });
  const remaining = new Map<string, number>();
  for (const name of classes) if (name !== null) remaining.set(name, (remaining.get(name) ?? 0) + 1);
  return classes.map((name, index) => {
    if (name === null) return `${unmangle(ids[index]!)} `;
    const number = remaining.get(name)!;
    remaining.set(name, number - 1);
    return `${name} ${number}`;
  });
};

const UNMANGLED = { minus: '-', plus: '+', dot: '.', comma: ',', bar: '|' } as const;

/** Undoes the spelling of characters that PDDL names cannot hold. */
function unmangle(id: string): string {
  return id.replace(/_(minus|plus|dot|comma|bar)_/g, (_, name: keyof typeof UNMANGLED) => UNMANGLED[name]);
}

/**
 * Order of Unicode code points. JavaScript's own `<` compares UTF-16 units and puts astral characters before some
 * others.
 */
export function compareCodePoints(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return (isSurrogate(x) ? x + 0x10000 : x) - (isSurrogate(y) ? y + 0x10000 : y);
  }
  return a.length - b.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}
