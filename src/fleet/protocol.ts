/**
 * What coordinator and workers tell each other: names on the server, and the schema of every message. Whoever reads a
 * message checks it first. docs/fleet.md says who holds what.
 */
import * as z from 'zod';
import { ProxmoError } from '../base/errors.ts';
import { checked } from '../base/schemaProblems.ts';
import type { LoraConfig } from '../models/peft.ts';

/** Raised whenever a message means something else. Coordinators and workers of one run have the same. */
export const protocolVersion = 3;

/** A run's name on the server: part of subjects and of names of streams. */
const runNameSchema = z.string().regex(/^[A-Za-z0-9_-]{1,48}$/);
/** Names one worker process; another one, even on the same machine, has another. */
const workerIdSchema = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);

/** The run's name that a folder gives. */
export function runNameOf(folder: string): string {
  const name = folder.split(/[\\/]/).filter(Boolean).at(-1) ?? '';
  return name.replace(/[^A-Za-z0-9_-]+/g, '-').slice(-48) || 'run';
}

/** @throws {ProxmoError} `usage` if no run can be called so */
export function checkedRunName(name: string): string {
  return checked(
    runNameSchema,
    name,
    () =>
      new ProxmoError(
        'usage',
        `A run of a fleet cannot be called ${JSON.stringify(name)}; use letters, digits, _ and -, at most 48 of them.`,
      ),
  );
}

/** Names of a run's streams, subjects and buckets. */
export function namesOf(run: string) {
  return {
    /** Stream of pieces, each of which goes to one worker. */
    work: `proxmo_${run}_work`,
    workSubject: `proxmo.${run}.work`,
    /** The consumer of that stream which all workers share. */
    workers: 'workers',
    /** Stream of answers. */
    answers: `proxmo_${run}_answers`,
    answersOf: (worker: string) => `proxmo.${run}.answer.${worker}`,
    answerSubjects: `proxmo.${run}.answer.*`,
    /** Where workers say that they have begun with a piece. Nothing keeps it. */
    takenSubject: `proxmo.${run}.taken`,
    /** Object store of weights, which the coordinator alone writes: by their hash, and what changed in them. */
    policy: `proxmo_${run}_policy`,
    changeOf: (hash: string, before: string) => `${hash}.${before}`,
    /** The hash of the weights that an object there leads to. */
    hashOf: (object: string) => object.split('.')[0]!,
    /** Object store of messages that are too large for the server. */
    large: `proxmo_${run}_large`,
    /** In `directoryBucket`. */
    runKey: run,
    /** In `presenceBucket`. */
    coordinatorKey: `${run}.coordinator`,
    workerKey: (worker: string) => `${run}.worker.${worker}`,
    workerKeys: `${run}.worker.*`,
  } as const;
}

/** Key-value bucket of what runs are. */
export const directoryBucket = 'proxmo_runs';
/** Key-value bucket of who is there. What is not renewed in `presenceSeconds` is gone. */
export const presenceBucket = 'proxmo_present';
export const presenceSeconds = 8;

const count = z.int().min(0);
const digest = z.string().regex(/^[0-9a-f]{64}$/);
/** Names one life of a coordinator. What is meant for an earlier one is dropped. */
const session = z.string().min(1);

/** What every message that tells of its sender begins with, whatever its version. */
export const senderSchema = z.looseObject({ protocol: z.int(), version: z.string() });

/** Whether a run is open, whatever its version. */
export const openSchema = z.looseObject({ isOpen: z.boolean() });

const patterns = z.record(z.string(), z.number());
/** Low-rank adapters: `LoraConfig` of `src/models/peft.ts`. */
const adaptersSchema: z.ZodType<LoraConfig> = z.strictObject({
  rank: z.int().min(1),
  alpha: z.number(),
  targets: z.union([z.literal('all-linear'), z.array(z.string()).readonly(), z.strictObject({ pattern: z.string() })]),
  dropout: z.number().min(0).lt(1).exactOptional(),
  rankStabilised: z.boolean().exactOptional(),
  rankPattern: patterns.exactOptional(),
  alphaPattern: patterns.exactOptional(),
  modulesToSave: z.array(z.string()).exactOptional(),
  ensureWeightTying: z.boolean().exactOptional(),
} satisfies Record<keyof LoraConfig, z.ZodType>);

/** A pretrained model that a run trains. It is never sent: each worker has it. */
const baseSchema = z.strictObject({
  kind: z.literal('model'),
  /** For people, as `SmolLM2-135M-Instruct`. */
  name: z.string(),
  /** As `digestOfModel` of `src/models` has it. */
  sha256: digest,
  /** What is trained in place of its weights; null if they are themselves. */
  adapters: adaptersSchema.nullable(),
});
export type BaseModel = Omit<z.infer<typeof baseSchema>, 'adapters'> & { readonly adapters: LoraConfig | null };

/** What a run is, as its workers need to know it. */
export const runSchema = z.strictObject({
  protocol: z.int(),
  version: z.string(),
  session,
  /** False once the run has ended. */
  isOpen: z.boolean(),
  /** The run's configuration, which a worker checks by its own schema. */
  config: z.unknown(),
  /** What the policy begins with; of a policy of its own words, its vocabulary as JSON. */
  policy: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('words'), tokenizer: z.string() }),
    baseSchema,
  ]),
  /** SHA-256 of the ids and types of the tasks. */
  tasks: z.strictObject({ training: z.string(), heldOut: z.string() }),
  /** Of the coordinator; workers of another kind compute other last bits. */
  adapter: z.string(),
  /** Workers whose answers do not count any more, and why. */
  shutOut: z.array(z.strictObject({ worker: workerIdSchema, why: z.string() })),
});
export type RunDescription = z.infer<typeof runSchema>;

const base64 = z.base64();

/** Episodes to play in one batch. */
const episodesWorkSchema = z.strictObject({
  kind: z.literal('episodes'),
  /** Ids of the run's tasks, one for each episode. */
  tasks: z.array(z.string()).min(1),
  firstEpisode: count,
  controls: z.strictObject({ seed: count, temperature: z.number(), topP: z.number(), topK: count }),
});
export type EpisodesWork = z.infer<typeof episodesWorkSchema>;

const tokens = z.array(count).min(1);
/** The gradient of one micro-batch of an update. */
const gradientWorkSchema = z.strictObject({
  kind: z.literal('gradient'),
  scale: z.number(),
  dropoutSeed: z.tuple([count, count]),
  /** Trees that replies are bound to, each as the sequences in it. */
  trees: z.array(z.array(tokens).min(1)),
  sequences: z
    .array(
      z.strictObject({
        tokens,
        replies: z.array(
          z.strictObject({
            start: count,
            length: count,
            /** Number of the tree, and of the first token that is bound. */
            bound: z.strictObject({ tree: count, from: count }).optional(),
          }),
        ),
        /** float32, little-endian, of each token of the replies. */
        columns: z.record(z.string(), base64),
      }),
    )
    .min(1),
});
export type GradientWork = z.infer<typeof gradientWorkSchema>;

const workSchema = z.discriminatedUnion('kind', [episodesWorkSchema, gradientWorkSchema]);
export type Work = z.infer<typeof workSchema>;

/** Work for one worker. */
export const pieceSchema = z.strictObject({
  session,
  /** Number of the job within the session. */
  round: count,
  /** What the job is, for people, as `iteration 3`. */
  name: z.string(),
  /** Number of the piece within the job. */
  index: count,
  /** How often it was given before. */
  attempt: count,
  /** SHA-256 of the weights to do it with; their name in the store. */
  weights: digest,
  work: workSchema,
});
export type Piece = z.infer<typeof pieceSchema>;

/** A worker has begun with a piece. */
export const takenSchema = pieceSchema
  .pick({ session: true, round: true, index: true, attempt: true })
  .extend({ worker: workerIdSchema });

const stepSchema = z.strictObject({
  observation: z.string(),
  actions: z.array(z.string()).nullable(),
  /** Token ids. */
  reply: z.array(count).min(1),
  /** float32 of each, little-endian. */
  logProbs: base64,
  /** Of the action that the reply was. */
  reward: z.number(),
  seconds: z.strictObject({ reply: z.number().min(0), world: z.number().min(0) }),
});
export type PlayedStep = z.infer<typeof stepSchema>;

const playedSchema = z.strictObject({
  instruction: z.string(),
  steps: z.array(stepSchema).min(1),
  success: z.boolean(),
  score: z.number().min(0).max(1),
  components: z.record(z.string(), z.number()),
  faults: count,
});
const errorSchema = z.strictObject({ code: z.string(), message: z.string() });
const droppedSchema = z.strictObject({ faults: count, error: errorSchema });
/** One episode: as it was played, or why it was given up. */
const outcomeSchema = z.union([playedSchema, z.strictObject({ dropped: droppedSchema })]);
export type EpisodeOutcome = z.infer<typeof outcomeSchema>;
export type PlayedEpisode = z.infer<typeof playedSchema>;

const faultSchema = z.strictObject({ task: z.string(), attempt: count, step: count, error: errorSchema });
export type ToldFault = z.infer<typeof faultSchema>;

/** What came of a piece. */
export const answerSchema = z.strictObject({
  protocol: z.int(),
  version: z.string(),
  worker: workerIdSchema,
  session,
  round: count,
  name: z.string(),
  index: count,
  attempt: count,
  weights: digest,
  seconds: z.number().min(0),
  result: z.discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('episodes'),
      /** Of each task of the piece. */
      episodes: z.array(outcomeSchema),
      /** Faults of the environment, as they came. */
      faults: z.array(faultSchema),
    }),
    /** float32, little-endian, both. */
    z.strictObject({ kind: z.literal('gradient'), gradient: base64, statistics: base64 }),
    /** Why this worker cannot do it. */
    z.strictObject({ kind: z.literal('failed'), ...errorSchema.shape }),
  ]),
});
export type Answer = z.infer<typeof answerSchema>;
/** What a worker says of work that it did. */
export type SoundResult = Exclude<Answer['result'], { readonly kind: 'failed' }>;

/** What a worker tells of itself, again and again. */
export const presenceSchema = z.strictObject({
  protocol: z.int(),
  version: z.string(),
  worker: workerIdSchema,
  /** For people. */
  name: z.string(),
  adapter: z.string(),
  /** Names of those that it has the data of. */
  environments: z.array(z.string()),
  started: z.iso.datetime(),
  /** What it is at, as `iteration 3, piece 2`; null if it waits. */
  at: z.string().nullable(),
  pieces: count,
  episodes: count,
  tokens: count,
  /** In which it worked on pieces. */
  busySeconds: z.number().min(0),
});
export type Presence = z.infer<typeof presenceSchema>;

/** Who coordinates a run. */
export const claimSchema = z.strictObject({
  session,
  version: z.string(),
  host: z.string(),
  pid: z.int(),
  started: z.iso.datetime(),
  /** As `iteration 3: 5 of 8 pieces`. */
  at: z.string(),
});
export type Claim = z.infer<typeof claimSchema>;

/** In place of a message that is too large: where it lies in the store. */
export const elsewhereSchema = z.strictObject({ elsewhere: z.string() });

/** @throws {ProxmoError} `data` if it is not as the schema says @param what it is, as `an answer` */
export function checkedMessage<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  return checked(schema, value, (problem) => new ProxmoError('data', `${what} is not as it should be: ${problem}.`));
}

/**
 * Refuses a partner that speaks otherwise: messages could mean something else, and kernels compute other bits.
 * @param what the partner is, as `the coordinator of small`
 * @throws {ProxmoError} `fleet`
 */
export function checkVersion(
  own: string,
  { version, protocol }: { readonly version: string; readonly protocol: number },
  what: string,
): void {
  if (version === own && protocol === protocolVersion) return;
  throw new ProxmoError(
    'fleet',
    `${what} is proxmo ${version} (protocol ${protocol}), and this is proxmo ${own} (protocol ${protocolVersion}); install the same version on all machines of a fleet.`,
  );
}
