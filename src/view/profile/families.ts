/** What kernels are for. Pictures colour them by that. */

export type Family = 'products' | 'attention' | 'norms' | 'elementwise' | 'moves' | 'choices' | 'optimiser' | 'other';

/** Colours in light and in dark: after Okabe and Ito, so that colour-blind people can tell them apart. */
export const familyStyles: Readonly<
  Record<Family, { readonly name: string; readonly light: string; readonly dark: string }>
> = {
  products: { name: 'matrix products', light: '#0072b2', dark: '#56b4e9' },
  attention: { name: 'attention', light: '#c35500', dark: '#f0913f' },
  norms: { name: 'norms', light: '#00805e', dark: '#2bc79a' },
  elementwise: { name: 'elementwise', light: '#b3569a', dark: '#e39bc8' },
  moves: { name: 'lookups, copies and sums', light: '#8a6d00', dark: '#e5cf3f' },
  choices: { name: 'logits, losses and sampling', light: '#6a4fb3', dark: '#a995ee' },
  optimiser: { name: 'optimiser', light: '#a3312b', dark: '#f08a7c' },
  other: { name: 'advantages and others', light: '#6e7781', dark: '#a3a9af' },
};

/** By the first word of a kernel's name. */
const patterns: readonly (readonly [Family, RegExp])[] = [
  ['products', /^(matmul|stepProduct)$/],
  ['attention', /^attention/],
  ['norms', /norm/i],
  ['optimiser', /^(adamW|sgd$|accumulate|squareRuns|rootSumRuns)$/],
  ['choices', /^(tokenLogProbs|vocab|maskLogits|sample|trieStep|softmax|ppoLoss)/],
  [
    'moves',
    /^(gatherRows|scatterRows|copy|fill|kv|cast|columnSum|\w+Columns|shiftIndices|strided$|broadcast|sumRuns|dotRuns)/,
  ],
  ['elementwise', /^(add|subtract|multiply|divide|scale|greater|where|exp|log|sqrt|relu|tanh|sigmoid|silu|gelu)/],
  ['elementwise', /^(dropout|swiglu|geglu|splitHeadsWithRope)/],
];

/** @param kernel its name, with or without its variant */
export function familyOf(kernel: string): Family {
  const [word = ''] = kernel.split('.');
  return patterns.find(([, pattern]) => pattern.test(word))?.[0] ?? 'other';
}

/** Milliseconds by family, the longest first. */
export function familyTimes(kernels: readonly { readonly op: string; readonly ms: number }[]): [Family, number][] {
  const times = new Map<Family, number>();
  for (const { op, ms } of kernels) times.set(familyOf(op), (times.get(familyOf(op)) ?? 0) + ms);
  return [...times].sort(([, a], [, b]) => b - a);
}
