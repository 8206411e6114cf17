/**
 * What is simulated. The seconds of an iteration of the household preset and of ALFWorld were measured on two CPU cores
 * without a GPU (bench/README.md). The household's parts, the bytes of answers, the seconds of judging and joining are
 * estimates, and so are all costs of pretrained models: their tokens times an estimate for one.
 */
import type { SimulatedJob, SimulatedWork } from './simulation.ts';

/** An iteration, as far as a fleet's times depend on it. */
interface Iteration {
  readonly name: string;
  /** Groups, each of which is a piece. */
  readonly groups: number;
  /** Seconds of all episodes, of advantages and of all updates, on one worker of speed 1. */
  readonly rollout: number;
  readonly advantages: number;
  readonly update: number;
  /** Of what is trained. */
  readonly parameters: number;
  /** Bytes of the answer to a piece. */
  readonly answerBytes: number;
  /** Seconds that the coordinator looks at it. */
  readonly judging: number;
  /** Optimiser steps, and micro-batches of each. */
  readonly steps: number;
  readonly microBatches: number;
  /** Seconds until a worker takes its first piece: device, model, kernels. */
  readonly joining: number;
}

const household: Iteration = {
  name: 'household, 0.05M',
  // The preset `small` on the quiet machine: 1.33 s an iteration, about 2,000 turns.
  ...{ groups: 16, rollout: 0.58, advantages: 0.01, update: 0.74, parameters: 5.2e4 },
  ...{ answerBytes: 12e3, judging: 0.012, steps: 4, microBatches: 4, joining: 8 },
};

const alfworld: Iteration = {
  name: 'ALFWorld transcripts, 0.73M',
  // `bench --filter iteration/alfworld`: 128 episodes, 121,007 tokens read in the update.
  ...{ groups: 16, rollout: 28.2, advantages: 0.06, update: 39.1, parameters: 7.3e5 },
  ...{ answerBytes: 60e3, judging: 0.05, steps: 4, microBatches: 8, joining: 20 },
};

/** Seconds of a token that is read, written and learned, of SmolLM2-135M in float32 on two cores: estimates. */
const tokenSeconds = { read: 0.006, written: 0.02, learned: 0.016 };

/** A pretrained model that plays 128 episodes of 600 tokens read and 150 written. @param size times SmolLM2's */
function pretrained(name: string, size: number, parameters: number, learning: number): Iteration {
  const episodes = 128;
  const rollout = episodes * size * (600 * tokenSeconds.read + 150 * tokenSeconds.written);
  const update = episodes * size * 750 * tokenSeconds.learned * learning;
  return {
    ...{ name, groups: 16, rollout, advantages: 0.06, update, parameters },
    ...{ answerBytes: 40e3, judging: 0.05, steps: 4, microBatches: 12, joining: 60 },
  };
}

// Adapters of rank 16 on all projections. Learning all weights takes a third more than adapters alone.
const iterations: readonly Iteration[] = [
  household,
  alfworld,
  pretrained('SmolLM2-135M, LoRA', 1, 4.9e6, 1),
  pretrained('SmolLM2-135M, all weights', 1, 1.345e8, 1.33),
  pretrained('Qwen2.5-0.5B, LoRA', 3.7, 8.8e6, 1),
];

/** Bytes of a float32 as it goes over the wire: a message has them as text, compressed. */
const gradientByte = 4.1;
/** Episodes of a group differ in length. */
const spread = 0.25;

export const beside = 'at the coordinator, beside the next rollout';

/**
 * How an iteration is done: the coordinator learns; it learns while the next iteration is played
 * (`fleet.staleness: 1`); or workers compute gradients too.
 */
export type Learning = 'at the coordinator' | typeof beside | 'by workers';

/** Of an update: a forward pass more, where a forward and a backward pass are three. */
const proximalPass = 4 / 3;

/**
 * @param speed of the workers' and the coordinator's devices, where two cores are 1; messages and the environment stay
 * @param groups of an iteration; by default the workload's own. More of them take as much longer
 */
function workOf(iteration: Iteration, learning: Learning, speed: number, groups = iteration.groups): SimulatedWork {
  const more = groups / iteration.groups;
  const { rollout, advantages, update, parameters, answerBytes, judging, steps, joining } = iteration;
  const weightBytes = 4 * parameters;
  const isAhead = learning === beside;
  const whole = update * more * (isAhead ? proximalPass : 1);
  const play: SimulatedJob = {
    ...{ pieces: groups, seconds: (rollout * more) / groups / speed, spread, pieceBytes: 1e3, answerBytes },
    ...{ weightBytes, judging, after: advantages * more },
  };
  if (learning !== 'by workers')
    return { name: iteration.name, joining, isAhead, jobs: [{ ...play, after: play.after + whole / speed }] };
  const microBatches = Math.ceil(iteration.microBatches * more);
  const step: SimulatedJob = {
    ...{ pieces: microBatches, seconds: whole / steps / microBatches / speed, spread: 0.1, pieceBytes: 30e3 },
    ...{ answerBytes: gradientByte * parameters, weightBytes },
    // Unpacking and adding it up: two passes over its numbers.
    ...{ judging: parameters * 4e-8, after: parameters * 1e-8 },
  };
  return { name: iteration.name, joining, jobs: [play, ...Array.from({ length: steps }, () => step)] };
}

/** All workloads. */
export function workloads(learning: Learning, speed = 1, groups?: number): SimulatedWork[] {
  return iterations.map((iteration) => workOf(iteration, learning, speed, groups));
}
