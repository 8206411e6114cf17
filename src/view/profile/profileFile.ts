/** `profile.json`, in which `proxmo profile` leaves its figures and from which the page draws them. */
import * as z from 'zod';

/** Files of a profile, in the folder of that name within a run's. */
export const profileFiles = {
  folder: 'profile',
  figures: 'profile.json',
  trace: 'trace.json',
  roofline: 'roofline.svg',
} as const;

/** JSON has no NaN and no infinities. */
const amount = z.number().nonnegative();

const workSchema = z.object({
  /** Dispatches. */
  count: amount,
  /** Milliseconds of all of them together. */
  ms: amount,
  /** Arithmetic operations, and the fewest bytes moved. */
  flops: amount,
  bytes: amount,
});

const totalSchema = workSchema.extend({ name: z.string() });

/** Milliseconds of the whole profile, or of a phase. */
const timesSchema = z.object({
  /** From start to end, without what timing itself took. */
  wall: amount,
  /** Dispatches. */
  gpu: amount,
  /** Between dispatches of a program. */
  gaps: amount,
  /** Encoding of the programs on the host, as it is without a profiler. */
  encoding: amount,
});

export const profileSchema = z.object({
  format: z.literal('proxmo-profile'),
  formatVersion: z.literal(1),
  adapter: z.string(),
  /** `serialised`: dispatches ran one by one, and each time includes a submit. */
  timing: z.enum(['timestamps', 'serialised']),
  /** What the adapter reached in matrix products (of operands in f16, where it stores them) and in copies. */
  ceilings: z.object({ gflops: amount, halfGflops: amount.optional(), gbps: amount }),
  programRuns: amount,
  /** Whether the trace lacks what came after its most dispatches. */
  traceIsCut: z.boolean(),
  milliseconds: timesSchema,
  /** In the order in which they began. */
  phases: z.array(timesSchema.extend({ name: z.string() })),
  /** Kernels by variant, ops, parts of the model, programs; the longest first. */
  kernels: z.array(totalSchema),
  ops: z.array(totalSchema),
  parts: z.array(totalSchema),
  programs: z.array(totalSchema),
  /** The same dispatches by kernel, part and phase together. */
  cells: z.array(workSchema.extend({ kernel: z.string(), op: z.string(), part: z.string(), phase: z.string() })),
});

export type ProfileFile = z.output<typeof profileSchema>;
export type ProfileTimes = z.output<typeof timesSchema>;
export type ProfileWork = z.output<typeof workSchema>;
export type ProfileTotal = z.output<typeof totalSchema>;
export type ProfileCell = ProfileFile['cells'][number];
