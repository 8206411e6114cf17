// An environment of one's own in 20 lines: proxmo train --env ./examples/doors.mjs --set warmStart.tasks=0
const colours = ['red', 'green', 'blue'];
export default (_options, { defineTaskSet }) =>
  defineTaskSet({
    name: 'doors',
    maxSteps: 4,
    tasks: Array.from({ length: 600 }, (_, i) => ({ id: `door-${i}`, type: 'open', colour: colours[i % 3] })),
    instruction: ({ colour }) => `open the ${colour} door.`,
    *play({ colour }) {
      let observation = 'you see three doors.';
      while (true) {
        const action = yield { observation, actions: colours.map((each) => `open ${each}`) };
        if (action === `open ${colour}`) return { observation: 'it opens.', success: true };
        observation = 'it is locked.';
      }
    },
  });
