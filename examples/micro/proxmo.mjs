// ProxMO (arXiv 2602.19225) whole, in one file, without a device or a package: node examples/micro/proxmo.mjs
//
// Read it from top to bottom: a world (1), a policy (2), a careless teacher (3), episodes (4), how similar states are
// (5), what each turn was worth (6), the loss (7), the update (8), the loop (9). The library does the same with
// transformers on a GPU; test/micro.test.ts holds the two together, and docs/algorithm.md explains the formulas.

/** Random numbers between 0 and 1 that follow from a seed (Park and Miller, 1988). */
export function randomFrom(seed) {
  let state = 1 + seed;
  return () => (state = (48271 * state) % 2147483647) / 2147483647;
}

const sumOf = (items, numberOf) => items.reduce((sum, item, i) => sum + numberOf(item, i), 0);
const meanOf = (items, numberOf) => sumOf(items, numberOf) / items.length;
const split = (rows, key) =>
  [...new Set(rows.map((row) => row[key]))].map((value) => rows.filter((row) => row[key] === value));

// 1. The world. A dirty thing lies somewhere; it is to be washed at the sink and put somewhere else.
const places = ['table', 'sink', 'shelf', 'drawer'];
const things = ['cup', 'plate', 'fork', 'pan'];
const verbs = ['go', 'take', 'wash', 'put'];
const [mostTurns, winReward] = [12, 10];
const allTasks = things.flatMap((thing) =>
  places.flatMap((from) => places.filter((to) => to !== from).map((to) => ({ thing, from, to }))),
);
export const trainTasks = allTasks.filter((_, i) => i % 5 !== 4);
const heldOutTasks = allTasks.filter((_, i) => i % 5 === 4);

class Room {
  constructor(task) {
    Object.assign(this, task, { at: 'door', held: false, clean: false, note: '' });
    this.instruction = `put a clean ${task.thing} on the ${task.to}.`;
  }

  /** What the policy sees before it acts: the anchor of the turn, by which turns are compared (5). */
  get observation() {
    const what = `a ${this.clean ? 'clean' : 'dirty'} ${this.thing}`;
    const where = this.held ? `you hold ${what}` : `${what} is at the ${this.from}`;
    return `you are at the ${this.at}. ${where}.${this.note}`;
  }

  /** Does what an action says. A put ends the episode. */
  act([verb, noun]) {
    const { thing, from, to, at, held, clean } = this;
    this.note = '';
    if (verb === 'go' && places.includes(noun) && noun !== at) this.at = noun;
    else if (verb === 'take' && noun === thing && !held && at === from) this.held = true;
    else if (verb === 'wash' && noun === thing && held && at === 'sink') this.clean = true;
    else if (verb === 'put' && noun === thing && held) return { valid: true, done: true, success: clean && at === to };
    else this.note = ' nothing happens.';
    return { valid: this.note === '', done: false, success: false };
  }
}

// 2. The policy. It writes an action word by word: logits = W · tanh(sum of the embeddings of all that it reads).
const wordsOf = (text) => text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? [];
const common = 'put a clean dirty on the you are at hold is nothing happens door';
const inputWords = [...new Set(wordsOf(`${common} ${places} ${things}`))];
export const outputWords = [...verbs, ...places, ...things];
const sentences = 4;
export const [features, width] = [sentences * inputWords.length + verbs.length, 24];

/** Numbers of all words that are read, each with the sentence it stands in, which a transformer finds out itself. */
const read = (instruction, observation) =>
  `${instruction} ${observation}`
    .split('.')
    .flatMap((sentence, i) => wordsOf(sentence).map((word) => i * inputWords.length + inputWords.indexOf(word)));
/** The noun is written after reading the verb, too. */
const andWrote = (ids, verb) => [...ids, sentences * inputWords.length + verbs.indexOf(verb)];

/** All weights lie in one array, as optimisers like it: E is [features, width], W is [output words, width]. */
const end = features * width;
export const weightsIn = (theta) => ({ theta, E: theta.subarray(0, end), W: theta.subarray(end) });
export const newPolicy = (random) =>
  weightsIn(Float64Array.from({ length: (features + outputWords.length) * width }, () => random() - 0.5));

/** The hidden state, and the log-probability of each word that may come next. */
export function forward({ E, W }, ids) {
  const hidden = new Float64Array(width);
  for (const id of ids) for (let k = 0; k < width; k++) hidden[k] += E[id * width + k];
  for (let k = 0; k < width; k++) hidden[k] = Math.tanh(hidden[k]);
  const logits = outputWords.map((_, v) => hidden.reduce((sum, h, k) => sum + h * W[v * width + k], 0));
  const most = Math.max(...logits);
  const logSum = most + Math.log(sumOf(logits, (logit) => Math.exp(logit - most)));
  return { hidden, logProbs: logits.map((logit) => logit - logSum) };
}

/** Adds the slopes of a loss in the weights, from those in the logits: the chain rule, read backwards. */
function backward({ W }, gradient, ids, hidden, dLogits) {
  for (let k = 0; k < width; k++) {
    for (const [v, slope] of dLogits.entries()) gradient.W[v * width + k] += slope * hidden[k];
    const dHidden = sumOf(dLogits, (slope, v) => slope * W[v * width + k]);
    for (const id of ids) gradient.E[id * width + k] += dHidden * (1 - hidden[k] ** 2); // tanh' = 1 − tanh²
  }
}

/** Draws a word by its probability; the last one where rounding leaves a rest. */
function draw(policy, ids, random) {
  const { logProbs } = forward(policy, ids);
  let left = random();
  const token = logProbs.findIndex((logProb, v) => (left -= Math.exp(logProb)) < 0 || v === logProbs.length - 1);
  return { ids, token, oldLogProb: logProbs[token] };
}

// 3. The teacher knows the way, and forgets to wash in four episodes of five.
function teach({ thing, from, to, at, held, clean }, forgets) {
  if (!held) return at === from ? ['take', thing] : ['go', from];
  if (!clean && !forgets) return at === 'sink' ? ['wash', thing] : ['go', 'sink'];
  return at === to ? ['put', thing] : ['go', to];
}

/** What the teacher writes. To imitate it is to learn by the loss (7) with an advantage of 1. */
function demonstrations(episodes, random) {
  const written = [];
  for (let left = episodes; left > 0; left--) {
    const room = new Room(trainTasks[Math.floor(random() * trainTasks.length)]);
    const forgets = random() < 0.8;
    for (let done = false; !done; ) {
      const [verb, noun] = teach(room, forgets);
      const ids = read(room.instruction, room.observation);
      written.push([ids, verb], [andWrote(ids, verb), noun]);
      done = room.act([verb, noun]).done;
    }
  }
  return written.map(([ids, word]) => ({ ids, token: outputWords.indexOf(word), advantage: 1 }));
}

// 4. Episodes: a group of them of each task, so that they can be compared. A row is a turn.
export function play(policy, tasks, groupSize, random) {
  const rows = [];
  for (const [group, task] of tasks.entries())
    for (let member = 0; member < groupSize; member++)
      rows.push(...playOne(policy, new Room(task), random, { group: `${group}`, trajectory: `${group}.${member}` }));
  return rows;
}

function playOne(policy, room, random, names) {
  const rows = [];
  let success = false;
  for (let done = false; !done && rows.length < mostTurns; ) {
    const { observation } = room;
    const verb = draw(policy, read(room.instruction, observation), random);
    const noun = draw(policy, andWrote(verb.ids, outputWords[verb.token]), random);
    const outcome = room.act([outputWords[verb.token], outputWords[noun.token]]);
    ({ done, success } = outcome);
    const row = { step: rows.length, observation, tokens: [verb, noun], valid: outcome.valid };
    rows.push({ ...row, reward: success ? winReward : 0 });
  }
  return rows.map((row) => ({ ...names, ...row, success }));
}

/** The share of the episodes that succeed. */
const successOf = (rows) => meanOf(split(rows, 'trajectory'), ([{ success }]) => Number(success));

// 5. The similarity of states: the cosine of their texts' TF-IDF vectors, in which rare words weigh more.
const countOf = (items) => items.reduce((count, item) => count.set(item, (count.get(item) ?? 0) + 1), new Map());

/** One vector of length 1 for each text, as a map of its words. */
export function tfidf(texts) {
  const counts = texts.map((text) => countOf(wordsOf(text)));
  const textsWith = countOf(counts.flatMap((count) => [...count.keys()]));
  const rarity = (word) => Math.log((1 + texts.length) / (1 + textsWith.get(word))) + 1;
  return counts.map((count) => {
    const weights = [...count].map(([word, times]) => [word, times * rarity(word)]);
    const length = Math.hypot(...weights.map(([, weight]) => weight));
    return new Map(weights.map(([word, weight]) => [word, weight / length]));
  });
}
export const cosine = (a, b) => sumOf([...a], ([word, weight]) => weight * (b.get(word) ?? 0));

// 6. Advantages: how much better each turn was than others like it. A = A^E + ω·A^S.
const logistic = (x) => 1 / (1 + Math.exp(-x));

/** @returns for each row its advantage and the two levels that it is the sum of */
export function advantagesOf(rows, settings = {}) {
  const { gamma = 0.95, penalty = 0.1, alpha = 4, range = 0.05, temperature = 0.1, omega = 1 } = settings;
  const vectors = tfidf(rows.map(({ observation }) => observation));
  const turns = rows.map((row, i) => ({ ...row, vector: vectors[i], fine: row.valid ? 0 : penalty }));
  for (const group of split(turns, 'group')) {
    const episodes = split(group, 'trajectory');
    for (const episode of episodes) {
      const score = sumOf(episode, ({ reward }) => reward);
      let ahead = 0;
      for (const turn of episode.toReversed()) {
        ahead = turn.reward + gamma * ahead; // G_t = r_t + γ·G_{t+1}
        Object.assign(turn, { score: score - turn.fine, ahead: ahead - turn.fine });
      }
    }
    episodeLevel(group, episodes, alpha, range / (logistic(1) - 0.5), penalty);
    stepLevel(group, temperature);
  }
  return turns.map(({ A_E, A_S }) => ({ episode: A_E, step: A_S, advantage: A_E + omega * A_S }));
}

/** A^E: the score less the group's mean μ, in units of its deviation σ, times PSC's weight w. */
function episodeLevel(group, episodes, alpha, beta, sigmaFloor) {
  const mean = meanOf(episodes, (episode) => meanOf(episode, ({ score }) => score));
  const squares = sumOf(episodes, (episode) => meanOf(episode, ({ score }) => (score - mean) ** 2));
  const sigma = Math.max(sigmaFloor, Math.sqrt(squares / (episodes.length - 1)));
  const p = meanOf(episodes, ([{ success }]) => Number(success));
  for (const turn of group) {
    // PSC: a success counts for more where few succeed, a failure for less where most do.
    const w = 1 + beta * (logistic(turn.success ? (1 - p) ** alpha : -(p ** alpha)) - 0.5);
    turn.A_E = (w * (turn.score - mean)) / (sigma + 1e-6);
  }
}

/** A^S (PSA): the return less the mean of the group's returns, weighted by a softmax of how similar the turns are. */
function stepLevel(group, temperature) {
  for (const turn of group) {
    const weights = group.map(({ vector }) => Math.exp(cosine(turn.vector, vector) / temperature));
    turn.A_S = turn.ahead - sumOf(group, ({ ahead }, j) => weights[j] * ahead) / sumOf(weights, Number);
  }
}

// 7. The loss: PPO's (arXiv 1707.06347). Every token of a turn has the advantage of its turn.
/** @param tokens to learn from; one without log-probabilities of other policies is compared with none */
export function lossOf(policy, tokens, settings = {}) {
  const { clip = 0.2, dualClip = 3, klCoefficient = 0.01, entropyCoefficient = 0.001 } = settings;
  const gradient = weightsIn(new Float64Array(policy.theta.length));
  const loss = meanOf(tokens, ({ ids, token, advantage: A, ...other }) => {
    const { hidden, logProbs } = forward(policy, ids);
    const logProb = logProbs[token];
    const { oldLogProb = logProb, referenceLogProb = logProb } = other;
    // ρ, the ratio to the policy that acted. Beyond the clip nothing more is to be gained, and the slope is 0.
    const ratio = Math.exp(logProb - oldLogProb);
    const clipped = Math.max(-A * ratio, -A * Math.min(Math.max(ratio, 1 - clip), 1 + clip));
    const surrogate = A < 0 ? Math.min(clipped, -dualClip * A) : clipped;
    const slope = surrogate === -A * ratio ? surrogate : 0; // d(−A·ρ) / d log π = −A·ρ
    // The KL term (Schulman's k3) holds on to the reference policy; the entropy keeps choices varied.
    const delta = referenceLogProb - logProb;
    const kl = Math.min(Math.exp(delta) - delta - 1, 10);
    const entropy = -sumOf(logProbs, (each) => Math.exp(each) * each);
    const dLogProb = slope + (kl < 10 ? klCoefficient * (1 - Math.exp(delta)) : 0);
    const dLogits = logProbs.map(Math.exp).map((p, v) => {
      const dEntropy = -p * (logProbs[v] + entropy);
      return (dLogProb * (Number(v === token) - p) - entropyCoefficient * dEntropy) / tokens.length;
    });
    backward(policy, gradient, ids, hidden, dLogits);
    return surrogate + klCoefficient * kl - entropyCoefficient * entropy;
  });
  return { loss, gradient };
}

// 8. The update: Adam (arXiv 1412.6980), with the gradient's length clipped to 1.
export function adamOf({ theta }) {
  const [first, second] = [new Float64Array(theta.length), new Float64Array(theta.length)];
  let step = 0;
  return ({ theta: gradient }, learningRate) => {
    const shrink = Math.min(1, 1 / Math.hypot(...gradient));
    const [correct1, correct2] = [1 - 0.9 ** ++step, 1 - 0.999 ** step];
    for (let i = 0; i < theta.length; i++) {
      first[i] += 0.1 * (shrink * gradient[i] - first[i]);
      second[i] += 0.001 * ((shrink * gradient[i]) ** 2 - second[i]);
      theta[i] -= (learningRate * (first[i] / correct1)) / (Math.sqrt(second[i] / correct2) + 1e-8);
    }
  };
}

// 9. The loop: imitate; then play, compare, learn.
/** @returns the policy, and its success in held-out tasks before ProxMO and after it */
export function train({ seed = 1, iterations = 40, log = console.log } = {}) {
  const random = randomFrom(seed);
  const shuffled = (items) => {
    const places = new Map(items.map((item) => [item, random()]));
    return items.toSorted((a, b) => places.get(a) - places.get(b));
  };
  const learn = (adam, tokens, batches, rate) => {
    const mixed = shuffled(tokens);
    const batch = (number) => mixed.filter((_, i) => i % batches === number);
    for (let number = 0; number < batches; number++) adam(lossOf(policy, batch(number)).gradient, rate);
  };
  const test = (phase) => {
    const success = successOf(play(policy, heldOutTasks, 40, randomFrom(0)));
    log(`after ${phase}: ${(100 * success).toFixed(1)} % of the held-out episodes succeed`);
    return success;
  };

  const [policy, shown] = [newPolicy(random), demonstrations(300, random)];
  const imitation = adamOf(policy);
  for (let pass = 0; pass < 6; pass++) learn(imitation, shown, 20, 0.01);
  const before = test('imitation');

  const [reference, adam] = [weightsIn(policy.theta.slice()), adamOf(policy)];
  for (let iteration = 1; iteration <= iterations; iteration++) {
    const rows = play(policy, shuffled(trainTasks).slice(0, 16), 8, random);
    const advantages = advantagesOf(rows);
    const tokens = rows.flatMap((row, i) =>
      row.tokens.map((token) => {
        const referenceLogProb = forward(reference, token.ids).logProbs[token.token];
        return { ...token, referenceLogProb, advantage: advantages[i].advantage };
      }),
    );
    learn(adam, tokens, 4, 0.003);
    log(`iteration ${iteration}: ${(100 * successOf(rows)).toFixed(1)} %`);
  }
  return { policy, before, after: test('ProxMO') };
}

if (import.meta.filename === process.argv[1]) train();
