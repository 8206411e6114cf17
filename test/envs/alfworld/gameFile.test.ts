/** Reading game files: the sentence that is taken out of the grammar, and files that are damaged. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProxmoError } from '../../../src/base/errors.ts';
import { parseGameFile, parsePackedGame, splitGrammar } from '../../../src/envs/alfworld/gameFile.ts';
import { GameLoader, instructionOf } from '../../../src/envs/alfworld/loader.ts';
import { isSupportedPath, typeOfPath } from '../../../src/envs/alfworld/taskTypes.ts';
import { mutated } from '../textgame/garbage.ts';
import { gameText, problemOf, TINY_GAMES } from './tinyGames.ts';

const GAME = TINY_GAMES[0]!;
const TEXT = gameText(GAME);

describe('a game file', () => {
  it('gives its task apart from the grammar that it shares with others', () => {
    const [first, second] = TINY_GAMES.slice(0, 2).map((game) => parseGameFile(gameText(game), 'here'));
    expect([first!.task, second!.task]).toEqual(['put a mug in cabinet', 'heat some mug and put it in cabinet']);
    expect(first!.grammar).toBe(second!.grammar);
    expect(first).toMatchObject({ solvable: true, walkthrough: GAME.walkthrough, problem: problemOf(GAME) });
  });

  it('may lack what old releases lack', () => {
    const { pddl_domain, grammar, pddl_problem } = JSON.parse(TEXT) as Record<string, string>;
    const file = parseGameFile(JSON.stringify({ pddl_domain, grammar, pddl_problem }), 'here');
    expect(file).toMatchObject({ solvable: true, walkthrough: null });
  });

  it.each([
    ['text that is cut off', TEXT.slice(0, 500), /here is not valid JSON/],
    ['an empty file', '', /here is not valid JSON/],
    ['no object', '[]', /here is damaged: the whole /],
    ['no grammar', '{"pddl_domain": "x", "pddl_problem": "y"}', /here is damaged: `grammar` is not set;/],
    [
      'an empty problem',
      TEXT.replace(/"pddl_problem":"(?:[^"\\]|\\.)*"/, '"pddl_problem":""'),
      /damaged: `pddl_problem` must be text that is not empty/,
    ],
    [
      'a walkthrough that is no list',
      TEXT.replace(/"walkthrough":\[/, '"walkthrough":3,"rest":['),
      /damaged: `walkthrough` must be a list, not 3/,
    ],
    [
      'a mark that is none',
      TEXT.replace('"solvable":true', '"solvable":"yes"'),
      /damaged: `solvable` must be true or false/,
    ],
  ])('is refused with %s', (_, text, message) => {
    expect(() => parseGameFile(text, 'here')).toThrow(
      expect.objectContaining({ code: 'file', message: expect.stringMatching(message) }),
    );
  });

  it('ends in a game or in an error that names it, however it is damaged', () => {
    const load = (text: string): void => {
      try {
        new GameLoader().load(parseGameFile(text, 'here.tw-pddl'), 'here.tw-pddl');
      } catch (error) {
        expect(error).toBeInstanceOf(ProxmoError);
        expect(error).toMatchObject({ code: 'file', message: expect.stringContaining('here.tw-pddl') });
      }
    };
    fc.assert(fc.property(mutated(TEXT), load), { numRuns: 300 });
    // Damage within the texts, which leaves the JSON whole.
    const parts = fc.constantFrom('pddl_domain', 'grammar', 'pddl_problem');
    const inner = parts.chain((part) => {
      const data = JSON.parse(TEXT) as Record<string, string>;
      return mutated(data[part]!).map((text) => JSON.stringify({ ...data, [part]: text }));
    });
    fc.assert(fc.property(inner, load), { numRuns: 300 });
  });
});

describe('a line of the packed form', () => {
  const line = { path: 'a/b/c/game.tw-pddl', task: 'put a mug in cabinet', pddl_problem: problemOf(GAME) };

  it('is a game without domain and grammar', () => {
    expect(parsePackedGame(JSON.stringify({ ...line, solvable: false, walkthrough: ['look'] }), 'line 1')).toEqual({
      path: line.path,
      task: line.task,
      problem: line.pddl_problem,
      solvable: false,
      walkthrough: ['look'],
    });
  });

  it('is refused without a path or a task', () => {
    for (const key of ['path', 'task', 'pddl_problem']) {
      expect(() => parsePackedGame(JSON.stringify({ ...line, [key]: undefined }), 'line 1')).toThrow(
        `line 1 is damaged: \`${key}\` is not set`,
      );
    }
  });
});

describe('the task sentence', () => {
  const grammar = (sentence: string): string =>
    `grammar :: """{"intro": [{"rhs": "#task#"}], "task": [{"rhs": "${sentence}"}]}""";`;

  it('is taken out where it stands in the usual form alone', () => {
    expect(splitGrammar(grammar('Your task is to: say \\"hi\\".')).task).toBe('say "hi"');
    expect(splitGrammar(grammar('Do as you like.')).task).toBeNull();
    expect(splitGrammar(grammar('Your task is to: x.') + grammar('Your task is to: y.')).task).toBeNull();
  });

  it('is said by the game either way', () => {
    const data = JSON.parse(TEXT) as Record<string, string>;
    for (const sentence of ['Your task is to: win.', 'Hurry! Your task is to: win.']) {
      const text = JSON.stringify({
        ...data,
        grammar: data.grammar!.replace('Your task is to: put a mug in cabinet.', sentence),
      });
      const { feedback } = new GameLoader().load(parseGameFile(text, 'here'), 'here').reset();
      expect(feedback.endsWith(sentence)).toBe(true);
      expect(instructionOf(feedback)).toBe('win.');
    }
  });

  it('is the whole observation where nothing says that it is a task', () => {
    expect(instructionOf('Find your way.')).toBe('Find your way.');
  });
});

describe('the path of a game', () => {
  it.each([
    ['pick_and_place_simple-Mug-None-Desk-308/trial_1', 'pick_and_place', true],
    ['pick_two_obj_and_place-CD-None-Safe-308/trial_1', 'pick_two_obj_and_place', true],
    ['look_at_obj_in_light-CD-None-DeskLamp-308/trial_1', 'look_at_obj_in_light', true],
    ['pick_heat_then_place_in_recep-Egg-None-GarbageCan-10/trial_1', 'pick_heat_then_place_in_recep', true],
    ['pick_cool_then_place_in_recep-Mug-None-CoffeeMachine-10/trial_1', 'pick_cool_then_place_in_recep', true],
    ['pick_clean_then_place_in_recep-Bowl-None-Cabinet-10/trial_1', 'pick_clean_then_place_in_recep', true],
    ['pick_and_place_with_movable_recep-Mug-Bowl-Desk-308/trial_1', 'pick_and_place', false],
    ['pick_cool_then_place_in_recep-BreadSliced-None-Microwave-10/trial_1', 'pick_cool_then_place_in_recep', false],
    ['fry_egg-1/trial_1', null, false],
  ])('%s tells its type, and whether it is played', (path, type, supported) => {
    expect(typeOfPath(path)).toBe(type);
    expect(isSupportedPath(path)).toBe(supported);
  });
});
