/**
 * `proxmo doctor --kernels`: every variant of every kernel that the adapter can run, over the kernel's test cases,
 * against its reference.
 */
import { ableVariants, isSupported, type KernelCase, type KernelSpec, type Variant } from '../../../kernels/spec.ts';
import { ProxmoError } from '../../base/errors.ts';
import type { GpuContext } from '../../gpu/context.ts';
import { checkVariant, type ReadyCase, readyCase } from '../../gpu/kernelCheck.ts';
import { Random } from '../../tensor/random.ts';
import { formatTable } from '../table.ts';

/** What became of one kernel. */
export interface KernelFinding {
  readonly kernel: string;
  /** Labels of the variants that ran. */
  readonly variants: readonly string[];
  readonly cases: number;
  /** Why it was left out; null if it was not. */
  readonly leftOut: string | null;
  /** A sentence for each variant and case with a wrong result. */
  readonly problems: readonly string[];
}

/**
 * Checks kernels one after another. A device that no longer works ends it: what was not reached is left out.
 * @param onKernel called before each
 */
export async function checkKernels(
  gpu: GpuContext,
  specs: readonly KernelSpec[],
  onKernel: (spec: KernelSpec) => void = () => undefined,
): Promise<KernelFinding[]> {
  const findings: KernelFinding[] = [];
  for (const spec of specs) {
    const leftOut = reasonToLeaveOut(gpu, spec);
    if (!leftOut) onKernel(spec);
    findings.push(
      leftOut ? { kernel: spec.name, variants: [], cases: 0, leftOut, problems: [] } : await checkKernel(gpu, spec),
    );
  }
  return findings;
}

function reasonToLeaveOut(gpu: GpuContext, spec: KernelSpec): string | null {
  if (!isSupported(spec, gpu.profile)) return 'the adapter stores no f16';
  return failureOf(gpu) && 'the device failed before';
}

/** What the device reported and cannot recover from; null if nothing. */
function failureOf(gpu: GpuContext): string | null {
  try {
    gpu.check();
    return null;
  } catch (error) {
    return String(error);
  }
}

async function checkKernel(gpu: GpuContext, spec: KernelSpec): Promise<KernelFinding> {
  const variants = new Set<string>();
  const problems: string[] = [];
  for (const kernelCase of spec.cases) {
    const random = new Random(1, spec.name);
    const ready = readyCase(spec, kernelCase, () => random.normal());
    const able = ableVariants(spec, gpu.profile, kernelCase.params);
    if (able.length === 0) problems.push(`no variant runs ${describeCase(kernelCase)}`);
    for (const variant of able) {
      variants.add(variant.label);
      const problem = await problemOf(gpu, spec, variant, ready);
      if (problem) problems.push(`${variant.label}, ${describeCase(kernelCase)}: ${problem}`);
    }
  }
  return { kernel: spec.name, variants: [...variants], cases: spec.cases.length, leftOut: null, problems };
}

/** A variant that does not compile or run is a finding, too. */
async function problemOf(gpu: GpuContext, spec: KernelSpec, variant: Variant, ready: ReadyCase) {
  try {
    return await checkVariant(gpu, spec, variant, ready);
  } catch (error) {
    if (!(error instanceof ProxmoError)) throw error;
    return error.message;
  }
}

function describeCase({ params, note }: KernelCase): string {
  return [note, ...Object.entries(params).map(([name, value]) => `${name}=${value}`)].filter(Boolean).join(' ');
}

/** A row a kernel, then every problem, then the sum of it. */
export function describeFindings(findings: readonly KernelFinding[]): string {
  const rows = findings.map(({ kernel, variants, cases, leftOut, problems }) => [
    kernel,
    ...(leftOut ? ['', ''] : [`${variants.length}`, `${cases}`]),
    leftOut ?? (problems.length === 0 ? 'right' : 'WRONG'),
  ]);
  const checked = findings.filter(({ leftOut }) => !leftOut);
  const wrong = checked.filter(({ problems }) => problems.length > 0);
  const variants = checked.reduce((sum, finding) => sum + finding.variants.length, 0);
  return [
    formatTable([['kernel', 'variants', 'cases', ''], ...rows]),
    '',
    ...wrong.flatMap(({ kernel, problems }) => problems.map((problem) => `${kernel}: ${problem}`)),
    `${checked.length - wrong.length} of ${findings.length} kernels are right, ${wrong.length} wrong, ${findings.length - checked.length} left out; ${variants} variants.`,
  ].join('\n');
}
