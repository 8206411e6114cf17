/** What the page's words mean, in a sentence or two each. */
export const glossary = {
  heldOut: 'Share of fixed tasks, which the policy never trains on, that it solves. The band is the 95 % interval.',
  success: 'Share of the episodes of this iteration, on training tasks, that succeeded.',
  deadGroups:
    'Share of groups whose episodes all earned the same. Comparing them with each other says nothing, so they teach nothing at the episode level.',
  kl: 'How far the policy has moved from the one that it started from, in nats a token. It should grow slowly.',
  samplerKl: 'How far this iteration’s updates moved the policy from the one that played, in nats a token.',
  entropy: 'How undecided the policy is, in nats a token. Near 0 it always does the same, and nothing new is tried.',
  gradientNorm: 'Length of the gradient before it is clipped. Spikes mean steps that a few tokens dominate.',
  clipShare: 'Share of tokens whose probability moved beyond the limit of one update, so that they stopped counting.',
  phases: 'Seconds of an iteration: playing episodes (rollout), computing advantages, and updating the weights.',
  demonstrations: 'Expert play of tasks, from which the policy learns before training.',
  warmStart: 'Learning to do as the expert did in demonstrations, before training.',
  evaluation: 'Playing fixed tasks that the policy never trains on.',
  rollout: 'Playing episodes with the policy as it is.',
  advantage: 'Working out for each action how much better or worse it did than what it is compared with.',
  update: 'Changing the weights, so that good actions become more likely.',
  truncatedReplies: 'Replies that were cut because they reached the most tokens that a reply may have.',
  learningRate: 'Size of the optimiser’s steps.',
  tokensPerSecond: 'Tokens of prompts and replies, over the seconds of an iteration.',
  length: 'Mean number of turns of an episode.',
  group: 'Episodes of the same task. Each is judged by how it did beside the others.',
  credit:
    'The advantage: how much more (blue) or less (orange) likely an action is made. It is the sum of the two levels.',
  episodeLevel:
    'A^E: how the whole episode did beside the others of its group. The same for all its turns, but for penalties.',
  stepLevel:
    'A^S: how what came after this turn compares with what came, on average, after similar states of the group.',
  psc: 'Success-rate-aware modulation: the episode level is weighed a little more for rare successes, and a little less for failures where most succeed.',
  psa: 'Proximity-based soft aggregation: the baseline of a turn is a mean over all turns of its group, weighted by how similar their observations are.',
  stepReturn: 'Rewards from this turn on; later ones count less, by the discount γ a turn.',
  baseline: 'What similar states of the group came to on average. The step level is the return less this.',
  weight: 'Share of the baseline that comes from this turn.',
  similarity: 'Cosine of the two observations’ TF-IDF vectors: 1 for the same words, 0 for none in common.',
  logProb: 'How likely the policy found each token when it chose it. Dark: it was sure.',
  tokenKl: 'How much more likely the token is now than under the policy that training began with.',
  estimator: 'The rule that turns rewards into credit.',
  grpo: 'Group relative: the episode level alone, its score less the group’s mean, over its spread.',
  rloo: 'Leave one out: the episode’s score less the mean of the others.',
  gigpo: 'Group in group: the episode level, and a step level that compares turns with exactly equal observations.',
  proxmo: 'The episode level, modulated by the success rate, and a step level over similar observations.',
  temperature: 'τ: how similar states must be to count in a baseline. Small: only the most similar. Large: all alike.',
  alpha: 'α: how sharply the modulation of the episode level depends on the success rate.',
  range: 'r: the modulation’s weights stay between 1 − r and 1 + r.',
  omega: 'ω: weight of the step level beside the episode level.',
  leaveSelfOut: 'A turn does not count in its own baseline.',
  leaveTrajectoryOut: 'No turn of the same episode counts in a turn’s baseline.',
  roofline:
    'Each kernel by how much it computes for each byte it moves, and how fast it does. Under the slope, memory limits it; under the flat part, arithmetic does.',
} as const;

export type Term = keyof typeof glossary;
