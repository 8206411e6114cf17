// An environment of one's own, whole: proxmo train --env ./examples/my-env.mjs
const rooms = ['attic', 'bathroom', 'bedroom', 'cellar', 'garage', 'garden', 'kitchen', 'library', 'office', 'porch'];
const things = ['ball', 'book', 'bowl', 'box', 'brush', 'coat', 'coin', 'comb', 'cup', 'hat', 'key', 'knife'].concat([
  'lamp',
  'letter',
  'map',
  'mug',
  'pen',
  'phone',
  'plate',
  'ring',
  'scarf',
  'shoe',
  'spoon',
  'watch',
]);
const tasks = things.flatMap((thing) =>
  rooms.flatMap((from) =>
    rooms.filter((to) => to !== from).map((to) => ({ id: `${thing} ${from} ${to}`, type: 'bring', thing, from, to })),
  ),
);

export default (options, { defineTaskSet }) =>
  defineTaskSet({
    name: 'errands',
    maxSteps: options.maxSteps ?? 8,
    tasks,
    instruction: ({ thing, to }) => `bring the ${thing} to the ${to}.`,
    // An episode: yields what is seen, gets the action, returns how it ended.
    *play({ thing, from, to }) {
      let observation = `the ${thing} is in the ${from}.`;
      let at = null;
      let held = false;
      while (true) {
        const actions = rooms.filter((room) => room !== at).map((room) => `go ${room}`);
        if (held) actions.push(`put ${thing}`);
        else if (at === from) actions.push(`take ${thing}`);
        const action = yield { observation, actions };
        if (!actions.includes(action)) observation = 'that does not work.';
        else if (action.startsWith('put')) return { observation: `the ${thing} is in the ${at}.`, success: at === to };
        else if (action.startsWith('take')) held = true;
        else at = action.slice('go '.length);
        if (actions.includes(action)) observation = `you are in the ${at}.${held ? ` you hold the ${thing}.` : ''}`;
      }
    },
    // Optional: a player to learn from before training, which sees what the policy sees.
    createExpert() {
      let [to, from] = ['', null];
      return {
        reset: (instruction) => {
          [to, from] = [instruction.split(' ').at(-1).slice(0, -1), null];
        },
        act: ({ observation, admissibleActions }) => {
          from ??= observation.split(' ').at(-1).slice(0, -1);
          const put = admissibleActions.find((action) => action.startsWith('put'));
          if (put) return observation.includes(`in the ${to}.`) ? put : `go ${to}`;
          return admissibleActions.find((action) => action.startsWith('take')) ?? `go ${from}`;
        },
      };
    },
  });
