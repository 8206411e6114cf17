/**
 * The household as a PDDL domain and a text grammar, for the engine in `textgame`. A person walks between places, opens
 * them, takes and puts things, and cleans, heats, cools or uses them. Texts are lower-case and terse, so that a small
 * policy with a vocabulary of words can read them. What is held is said together with what is seen, so that two
 * situations that call for different actions rarely read the same.
 */
import { compileLogic, type GameLogic, type NamingRule } from '../textgame/index.ts';

const CORE_ACTIONS = `
  (:action go
    :parameters (?from - spot ?p - place)
    :precondition (and (at ?from) (not (= ?from ?p)))
    :effect (and (not (at ?from)) (at ?p)))

  (:action open
    :parameters (?p - place)
    :precondition (and (at ?p) (openable ?p) (not (opened ?p)))
    :effect (opened ?p))

  (:action take
    :parameters (?t - thing ?p - place)
    :precondition (and (at ?p) (in ?t ?p) (portable ?t) (not (busy)) (or (not (openable ?p)) (opened ?p)))
    :effect (and (held ?t) (busy) (not (in ?t ?p))))

  (:action put
    :parameters (?t - thing ?p - place)
    :precondition (and (at ?p) (held ?t) (or (not (openable ?p)) (opened ?p)))
    :effect (and (in ?t ?p) (not (held ?t)) (not (busy))))

  (:action clean
    :parameters (?t - thing ?p - place)
    :precondition (and (at ?p) (cleans ?p) (held ?t) (cleanable ?t) (not (clean ?t)))
    :effect (clean ?t))

  (:action heat
    :parameters (?t - thing ?p - place)
    :precondition (and (at ?p) (heats ?p) (held ?t) (heatable ?t) (not (hot ?t)))
    :effect (and (hot ?t) (not (cold ?t))))

  (:action cool
    :parameters (?t - thing ?p - place)
    :precondition (and (at ?p) (cools ?p) (held ?t) (coolable ?t) (not (cold ?t)))
    :effect (and (cold ?t) (not (hot ?t))))

  (:action use
    :parameters (?t - thing ?p - place)
    :precondition (and (at ?p) (in ?t ?p) (lamp ?t) (not (lit ?t)))
    :effect (lit ?t))
`;

/** Actions that no task needs. */
const EXTRA_ACTIONS = `
  (:action close
    :parameters (?p - place)
    :precondition (and (at ?p) (openable ?p) (opened ?p))
    :effect (not (opened ?p)))

  (:action look
    :parameters (?s - spot)
    :precondition (at ?s)
    :effect (noticed ?s))

  (:action inventory
    :parameters (?s - spot)
    :precondition (at ?s)
    :effect (noticed ?s))

  (:action examine
    :parameters (?t - thing)
    :precondition (held ?t)
    :effect (noticed ?t))
`;

const domainText = (actions: string): string => `(define (domain household)
  (:requirements :adl :typing)
  (:types spot thing kind room - object place - spot)
  (:predicates
    (inside ?r - room)                         ; the room where all this is
    (at ?s - spot)                             ; where the person is: the middle of the room or a place
    (is ?x - object ?k - kind)                 ; what a place or thing is an instance of
    (openable ?p - place) (opened ?p - place)
    (hollow ?p - place)                        ; things lie in it, not on it
    (cleans ?p - place) (heats ?p - place) (cools ?p - place)
    (in ?t - thing ?p - place)
    (held ?t - thing) (busy)
    (portable ?t - thing) (lamp ?t - thing)
    (cleanable ?t - thing) (heatable ?t - thing) (coolable ?t - thing)
    (clean ?t - thing) (hot ?t - thing) (cold ?t - thing) (lit ?t - thing)
    (noticed ?x - object))
${actions})`;

const CORE_TEXTS = `
grammar :: """
{
  "intro": [{"rhs": "you are in a {r.name | inside(r:room)}."}],

  "arrival": [
    {"condition": "held(t:thing)", "rhs": "#view# #hands#"},
    {"rhs": "#view#"}
  ],
  "view": [
    {"condition": "openable(p:place) & opened(p:place)", "rhs": "in {p.name} you see #things#."},
    {"condition": "openable(p:place)", "rhs": "{p.name} is closed."},
    {"condition": "hollow(p:place)", "rhs": "in {p.name} you see #things#."},
    {"rhs": "on {p.name} you see #things#."}
  ],
  "things": [{"rhs": "[{x.name | in(x:thing, p:place)}]"}],
  "side": [
    {"condition": "openable(p:place)", "rhs": "in"},
    {"condition": "hollow(p:place)", "rhs": "in"},
    {"rhs": "on"}
  ],

  "hands": [
    {"condition": "held(x:thing)", "rhs": "you hold {#carried# | held(x:thing)}."},
    {"rhs": "you hold nothing."}
  ],
  "carried": [{"rhs": "#warmth##cleanness#{x.name}"}],
  "warmth": [
    {"condition": "hot(x:thing)", "rhs": "hot "},
    {"condition": "cold(x:thing)", "rhs": "cold "},
    {"rhs": ""}
  ],
  "cleanness": [
    {"condition": "clean(x:thing)", "rhs": "clean "},
    {"rhs": ""}
  ],

  "list_empty": [{"rhs": "nothing"}],
  "list_separator": [{"rhs": ", "}],
  "list_last_separator": [{"rhs": ", "}]
}
""";

action go    { template :: "go {p}";    feedback :: "#arrival#"; }
action open  { template :: "open {p}";  feedback :: "#arrival#"; }
action take  { template :: "take {t}";  feedback :: "you take {t}."; }
action put   { template :: "put {t}";   feedback :: "you put {t} #side# {p}."; }
action clean { template :: "clean {t}"; feedback :: "you clean {t}."; }
action heat  { template :: "heat {t}";  feedback :: "you heat {t}."; }
action cool  { template :: "cool {t}";  feedback :: "you cool {t}."; }
action use   { template :: "use {t}";   feedback :: "you use {t}."; }
`;

const EXTRA_TEXTS = `
action close     { template :: "close {p}"; feedback :: "{p.name} is closed."; }
action look      {
  template :: "look";
  feedback :: "#look#";
  grammar :: """
  {
    "look": [
      {"condition": "at(p:place)", "rhs": "{#view# | at(p:place)}"},
      {"rhs": "#intro#"}
    ]
  }
  """;
}
action inventory { template :: "inventory"; feedback :: "#hands#"; }
action examine   { template :: "examine {t}"; feedback :: "#hands#"; }
`;

/** What the person hears after a command that is not understood. */
export const UNKNOWN_COMMAND = 'nothing happens.';

/** Which commands there are: those that tasks need, or also `close`, `look`, `inventory` and `examine`. */
export type CommandSet = 'core' | 'full';

const compiled = new Map<CommandSet, GameLogic>();

/** The compiled household, made once per command set. */
export function householdLogic(commands: CommandSet): GameLogic {
  let logic = compiled.get(commands);
  if (logic === undefined) {
    logic =
      commands === 'core'
        ? compileLogic(domainText(CORE_ACTIONS), CORE_TEXTS)
        : compileLogic(domainText(CORE_ACTIONS + EXTRA_ACTIONS), CORE_TEXTS + EXTRA_TEXTS);
    compiled.set(commands, logic);
  }
  return logic;
}

/** Household ids are `drawer_2`; the name is `drawer 2`, and `drawer` where there is only one. */
export const householdNaming: NamingRule = (ids) => {
  const all = new Set(ids);
  return ids.map((id) => {
    const [kind, number] = id.split('_');
    if (number === undefined) return id;
    return number === '1' && !all.has(`${kind}_2`) ? kind! : `${kind} ${number}`;
  });
};
