/**
 * Small games in ALFWorld's manner, written by hand, and folders of them in the forms that ALFWorld's data comes in.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { onTestFinished } from 'vitest';

export const DOMAIN = `
(define (domain home) ; a kitchen of few words
  (:requirements :adl :typing :action-costs)
  (:types agent location receptacle object rtype otype)
  (:functions (total-cost) - number)
  (:predicates (atLocation ?a - agent ?l - location) (receptacleAtLocation ?r - receptacle ?l - location)
    (inReceptacle ?o - object ?r - receptacle) (openable ?r - receptacle) (opened ?r - receptacle)
    (holds ?a - agent ?o - object) (holdsAny ?a - agent) (checked ?x - object)
    (objectType ?o - object ?t - otype) (receptacleType ?r - receptacle ?t - rtype)
    (isHot ?o - object) (isToggled ?o - object) (toggleable ?o - object))
  (:action GotoLocation :parameters (?a - agent ?lStart - location ?lEnd - location ?r - receptacle)
    :precondition (and (atLocation ?a ?lStart) (receptacleAtLocation ?r ?lEnd))
    :effect (and (not (atLocation ?a ?lStart)) (atLocation ?a ?lEnd) (increase (total-cost) 1)))
  (:action OpenObject :parameters (?a - agent ?l - location ?r - receptacle)
    :precondition (and (openable ?r) (not (opened ?r)) (atLocation ?a ?l) (receptacleAtLocation ?r ?l))
    :effect (opened ?r))
  (:action PickupObject :parameters (?a - agent ?l - location ?o - object ?r - receptacle)
    :precondition (and (atLocation ?a ?l) (receptacleAtLocation ?r ?l) (inReceptacle ?o ?r) (not (toggleable ?o)) (not (holdsAny ?a))
      (or (not (openable ?r)) (opened ?r)))
    :effect (and (holds ?a ?o) (holdsAny ?a) (not (inReceptacle ?o ?r))))
  (:action PutObject :parameters (?a - agent ?l - location ?o - object ?r - receptacle)
    :precondition (and (holds ?a ?o) (atLocation ?a ?l) (receptacleAtLocation ?r ?l) (or (not (openable ?r)) (opened ?r)))
    :effect (and (inReceptacle ?o ?r) (not (holds ?a ?o)) (not (holdsAny ?a))))
  (:action HeatObject :parameters (?a - agent ?l - location ?r - receptacle ?o - object)
    :precondition (and (receptacleType ?r MicrowaveType) (atLocation ?a ?l) (receptacleAtLocation ?r ?l) (holds ?a ?o))
    :effect (isHot ?o))
  (:action ToggleObject :parameters (?a - agent ?l - location ?o - object ?r - receptacle)
    :precondition (and (toggleable ?o) (atLocation ?a ?l) (receptacleAtLocation ?r ?l) (inReceptacle ?o ?r))
    :effect (isToggled ?o))
  (:action examineReceptacle :parameters (?a - agent ?l - location ?r - receptacle)
    :precondition (and (atLocation ?a ?l) (receptacleAtLocation ?r ?l)) :effect (checked ?r))
  (:action examineObject :parameters (?a - agent ?o - object) :precondition (holds ?a ?o) :effect (checked ?o))
  (:action help :parameters (?a - agent) :precondition () :effect (checked ?a)))`;

/** Where the packed form has its placeholder and a game its task. */
const PLACEHOLDER = 'UNKNOWN GOAL';

export const GRAMMAR = `
grammar :: """{
  "intro": [{"rhs": "-= Welcome home =-\\n\\nYou see [{r.indefinite + ' ' + r.name | receptacleatlocation(r:receptacle, l:location)}].\\n\\n#task#"}],
  "task": [{"rhs": "Your task is to: ${PLACEHOLDER}."}],
  "contents": [
    {"condition": "openable(r:receptacle) & opened(r:receptacle)", "rhs": "The {r.name} is open. In it, you see #things#."},
    {"condition": "openable(r:receptacle)", "rhs": "The {r.name} is closed."},
    {"rhs": "On the {r.name}, you see #things#."}
  ],
  "things": [{"rhs": "[{o.indefinite + ' ' + o.name | inreceptacle(o:object, r:receptacle)}]"}],
  "list_empty": [{"rhs": "nothing"}], "list_separator": [{"rhs": ", "}], "list_last_separator": [{"rhs": ", and "}]
}""";
action GotoLocation { template :: "go to {r}"; feedback :: "You arrive at {r.name}. #contents#"; }
action OpenObject { template :: "open {r}"; feedback :: "You open the {r.name}. #contents#"; }
action PickupObject { template :: "take {o} from {r}"; feedback :: "You pick up the {o.name} from the {r.name}."; }
action PutObject { template :: "move {o} to {r}"; feedback :: "You move the {o.name} to the {r.name}."; }
action HeatObject { template :: "heat {o} with {r}"; feedback :: "You heat the {o.name} using the {r.name}."; }
action ToggleObject { template :: "use {o}"; feedback :: "You turn on the {o.name}."; }
action examineReceptacle { template :: "examine {r}"; feedback :: "#contents#"; }
action examineObject { template :: "examine {o}"; feedback :: "This is a {o.name}."; }
action help { template :: "help"; feedback :: "
No help today.
"; }
`;

export interface TinyGame {
  readonly split: string;
  /** Folders of task and trial. */
  readonly id: string;
  readonly task: string;
  /** PDDL of the goal. */
  readonly goal: string;
  readonly solvable?: boolean;
  readonly walkthrough: readonly string[];
}

const put =
  'exists (?o - object ?r - receptacle) (and (objectType ?o MugType) (receptacleType ?r CabinetType) (inReceptacle ?o ?r)';

/** One game of each of four types, one without a solution, and one of a type that is not played. */
export const TINY_GAMES: readonly TinyGame[] = [
  {
    split: 'train',
    id: 'pick_and_place_simple-Mug-None-Cabinet-1/trial_1',
    task: 'put a mug in cabinet',
    goal: `(${put}))`,
    walkthrough: [
      'go to desk 1',
      'take mug 1 from desk 1',
      'go to cabinet 2',
      'open cabinet 2',
      'move mug 1 to cabinet 2',
    ],
  },
  {
    split: 'train',
    id: 'pick_heat_then_place_in_recep-Mug-None-Cabinet-1/trial_1',
    task: 'heat some mug and put it in cabinet',
    goal: `(${put} (isHot ?o)))`,
    walkthrough: [
      ...['go to desk 1', 'take mug 1 from desk 1', 'go to microwave 1', 'heat mug 1 with microwave 1'],
      ...['go to cabinet 1', 'open cabinet 1', 'move mug 1 to cabinet 1'],
    ],
  },
  {
    split: 'valid_seen',
    id: 'pick_two_obj_and_place-Mug-None-Cabinet-1/trial_1',
    task: 'find two mug and put them in cabinet',
    goal: `(${put} (exists (?o2 - object) (and (not (= ?o ?o2)) (objectType ?o2 MugType) (inReceptacle ?o2 ?r)))))`,
    walkthrough: [
      ...['go to desk 1', 'take mug 1 from desk 1', 'go to cabinet 1', 'open cabinet 1', 'move mug 1 to cabinet 1'],
      ...[
        'go to microwave 1',
        'open microwave 1',
        'take mug 2 from microwave 1',
        'go to cabinet 1',
        'move mug 2 to cabinet 1',
      ],
    ],
  },
  {
    split: 'valid_unseen',
    id: 'look_at_obj_in_light-Mug-None-DeskLamp-1/trial_1',
    task: 'look at mug under the desklamp',
    goal: `(exists (?o - object ?ot - object ?a - agent ?l - location ?r - receptacle) (and (objectType ?o MugType) (holds ?a ?o)
      (isToggled ?ot) (inReceptacle ?ot ?r) (receptacleAtLocation ?r ?l) (atLocation ?a ?l)))`,
    walkthrough: ['go to desk 1', 'take mug 1 from desk 1', 'use desklamp 1'],
  },
  {
    split: 'train',
    id: 'pick_and_place_simple-Mug-None-Safe-1/trial_2',
    task: 'put a mug in safe',
    goal: '(exists (?r - receptacle) (receptacleType ?r SafeType))',
    solvable: false,
    walkthrough: [],
  },
  {
    split: 'train',
    id: 'pick_and_place_with_movable_recep-Mug-Bowl-Cabinet-1/trial_1',
    task: 'put a mug in a bowl in cabinet',
    goal: `(${put}))`,
    walkthrough: ['look'],
  },
];

/** A room with two cabinets at one spot, a microwave, and a desk with a mug and a lamp. */
export function problemOf({ id, goal }: TinyGame): string {
  return `
(define (problem ${id.replaceAll('/', '_')}) (:domain home)
  (:objects agent1 - agent start_bar_0 by_bar_1 by_bar_2 by_bar_3 - location
    Cabinet_bar_1 Cabinet_bar_2 Desk_bar_1 Microwave_bar_1 - receptacle
    Mug_bar_1 Mug_bar_2 DeskLamp_bar_1 - object
    CabinetType DeskType MicrowaveType SafeType - rtype MugType DeskLampType - otype)
  (:init (= (total-cost) 0) (atLocation agent1 start_bar_0)
    (receptacleAtLocation Cabinet_bar_1 by_bar_1) (receptacleAtLocation Cabinet_bar_2 by_bar_1)
    (receptacleAtLocation Desk_bar_1 by_bar_2) (receptacleAtLocation Microwave_bar_1 by_bar_3)
    (openable Cabinet_bar_1) (openable Cabinet_bar_2) (openable Microwave_bar_1)
    (receptacleType Cabinet_bar_1 CabinetType) (receptacleType Cabinet_bar_2 CabinetType)
    (receptacleType Desk_bar_1 DeskType) (receptacleType Microwave_bar_1 MicrowaveType)
    (objectType Mug_bar_1 MugType) (objectType Mug_bar_2 MugType) (objectType DeskLamp_bar_1 DeskLampType)
    (toggleable DeskLamp_bar_1) (inReceptacle Mug_bar_1 Microwave_bar_1) (inReceptacle Mug_bar_2 Desk_bar_1)
    (inReceptacle DeskLamp_bar_1 Desk_bar_1))
  (:goal ${goal}))`;
}

/** The text of a `game.tw-pddl`. Old files have no walkthrough. */
export function gameText(game: TinyGame, old = false): string {
  return JSON.stringify({
    pddl_domain: DOMAIN,
    grammar: GRAMMAR.replace(PLACEHOLDER, game.task),
    pddl_problem: problemOf(game),
    solvable: game.solvable ?? true,
    ...(old ? {} : { walkthrough: game.walkthrough }),
  });
}

/** A folder of its own for a test, gone when the test is over. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'proxmo-alfworld-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function write(file: string, content: string | Uint8Array): string {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  return file;
}

/** ALFWorld's layout. Answers the folder that holds `json_2.1.1`. */
export function layoutFolder(games: readonly TinyGame[] = TINY_GAMES, old = false): string {
  const folder = temporaryFolder();
  for (const game of games) write(join(folder, 'json_2.1.1', game.split, game.id, 'game.tw-pddl'), gameText(game, old));
  return folder;
}

/** The packed form, with the train split in two files, one of them not compressed. */
export function packedFolder(games: readonly TinyGame[] = TINY_GAMES): string {
  const folder = temporaryFolder();
  write(join(folder, 'domain.pddl'), DOMAIN);
  write(join(folder, 'grammar.twl2'), GRAMMAR);
  const packs = new Map<string, string>();
  for (const game of games) {
    const { split, id, task, solvable = true, walkthrough } = game;
    const name =
      split !== 'train' ? `${split}.jsonl.gz` : id.includes('heat') ? 'train-heat.jsonl.gz' : 'train-other.jsonl';
    const path = `json_2.1.1/${split}/${id}/game.tw-pddl`;
    const line = JSON.stringify({ path, task, solvable, walkthrough, pddl_problem: problemOf(game) });
    packs.set(name, `${packs.get(name) ?? ''}${line}\n`);
  }
  for (const [name, lines] of packs) write(join(folder, 'games', name), name.endsWith('.gz') ? gzipSync(lines) : lines);
  return folder;
}
