/** What of a run's profile is looked at. All of it stands in the address. */
import { computed } from '@preact/signals';
import { kernelRates } from '../../profile/kernelWords.ts';
import type { ProfileFile, ProfileTotal } from '../../profile/profileFile.ts';
import { kernelTotals, totalsBy } from '../../profile/totals.ts';
import { go, parameter, parameterSignal, route } from '../route.ts';
import { loadProfile, run } from '../store.ts';
import { resource } from '../ui/resource.ts';

const key = computed(() => {
  const { value } = run;
  return value?.profile && route.value.view === 'profile' ? `${value.id} ${value.profile.version}` : null;
});

export const profile = resource<ProfileFile>(key, (wanted) => loadProfile(wanted.split(' ')[0]!));

const givenLayer = parameterSignal('layer');
const givenPhase = parameterSignal('phase');
const words = parameterSignal('find');

const cells = computed(() => profile.value.value?.cells ?? []);

/** The layer and the phase that alone count; null for all. */
export const layer = computed(() => cells.value.find(({ part }) => part === givenLayer.value)?.part ?? null);
export const phase = computed(
  () => profile.value.value?.phases.find(({ name }) => name === givenPhase.value)?.name ?? null,
);

const inPhase = computed(() => cells.value.filter((cell) => phase.value === null || cell.phase === phase.value));
const counted = computed(() => inPhase.value.filter((cell) => layer.value === null || cell.part === layer.value));

export const layers = computed(() => totalsBy(inPhase.value, 'part'));

export interface KernelRow extends ProfileTotal {
  readonly op: string;
  /** Of the time of all kernels that count. */
  readonly share: number;
  readonly gflops: number | null;
  readonly gbps: number | null;
  readonly ofCeiling: number | null;
  /** Milliseconds above the least time for its work; null where that is not known. */
  readonly toGain: number | null;
}

const totals = computed(() => kernelTotals(counted.value));

/** Milliseconds of all kernels that count. */
export const gpuMs = computed(() => totals.value.reduce((sum, { ms }) => sum + ms, 0));

/** All kernels that count, the longest first. */
export const kernels = computed<readonly KernelRow[]>(() => {
  const file = profile.value.value;
  if (!file) return [];
  return totals.value.map((total) => {
    const { gflops, gbps, ofCeiling } = kernelRates(total, total.op, file.ceilings);
    const toGain = ofCeiling === null ? null : total.ms * Math.max(0, 1 - ofCeiling);
    return { ...total, share: total.ms / gpuMs.value, gflops, gbps, ofCeiling, toGain };
  });
});

/** Those that have the words that are looked for. */
export const found = computed(() => {
  const wanted = (words.value ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  return kernels.value.filter(({ name }) => wanted.every((word) => name.toLowerCase().includes(word)));
});

/** The kernel in the address; null where none is chosen. */
export const kernel = computed(() => kernels.value.find(({ name }) => name === parameter('kernel')) ?? null);

/** Where the chosen kernel's time goes. */
export const kernelCells = computed(() => counted.value.filter((cell) => cell.kernel === kernel.value?.name));

export function chooseKernel(name: string | null): void {
  go({ kernel: name === parameter('kernel') ? null : name }, undefined, false);
}

/** Counts a layer or a phase alone, or all again. */
export function countAlone(what: 'layer' | 'phase', name: string | null): void {
  go({ [what]: name === parameter(what) ? null : name });
}
