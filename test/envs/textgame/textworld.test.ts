/** TextWorld's own small PDDL game, whose ids carry no class. Runs where the data lies beside the checkout. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compileLogic, Game } from '../../../src/envs/textgame/index.ts';
import { needsData, sharedData } from '../../support/sharedData.ts';

const FOLDER = sharedData('textworld-pddl-test/');

describe("TextWorld's small domain", needsData(FOLDER), () => {
  const read = (name: string): string => readFileSync(FOLDER + name, 'utf8');
  const play = (): Game => new Game(compileLogic(read('domain.pddl'), read('grammar.twl2')), read('problem.pddl'));

  it('begins with what the grammar says', () => {
    expect(play().reset().feedback).toBe(
      '-= Welcome to TextWorld, ALFRED! =-\n\nYou are in the middle of a room. Looking quickly around you, you see a bed, a desk, ' +
        'a drawer, a garbagecan, a laundryhamper, a safe, and a shelf.\n\nYour task is to examine a CD under a light source.',
    );
  });

  it('is won by holding the disc at the lit lamp', () => {
    const game = play();
    expect(game.step('go to desk').feedback).toMatch(/^You arrive at locdesk\. On the desk, you see a bowl1, /);
    expect(game.step('use desklamp').won).toBe(false);
    expect(game.step('take cd from desk')).toMatchObject({
      feedback: 'You pick up the cd from the desk.',
      won: true,
      score: 1,
      done: true,
    });
  });

  it('opens one thing at a time, as its domain asks of all receptacles', () => {
    const game = play();
    game.step('go to drawer');
    game.step('open drawer');
    expect(game.step('go to safe').admissible).not.toContain('open safe');
    game.step('go to drawer');
    game.step('close drawer');
    expect(game.step('go to safe').admissible).toContain('open safe');
  });

  it('answers nonsense with nothing', () => {
    const game = play();
    const start = game.reset();
    expect(game.step('dummy')).toEqual({ ...start, feedback: 'Nothing happens.' });
  });
});
