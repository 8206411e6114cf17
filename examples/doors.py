"""An environment in another language: a process that answers a line of JSON with a line of JSON.

    proxmo env check process --option 'command=python3 examples/doors.py'
    proxmo train --env process --set 'environment.options.command=python3 examples/doors.py' --set warmStart.tasks=0

The protocol is described in src/envs/bridge/protocol.ts. This is examples/doors.mjs in Python, without a package.
"""

import json
import sys

COLOURS = ["red", "green", "blue"]
ACTIONS = [f"open {colour}" for colour in COLOURS]
# Every word that its texts may have, from which a small policy's vocabulary is made.
WORDS = "open the red green blue door you see three doors it opens is locked".split()
# A task is a number; each split has numbers of its own.
FIRST = {"train": 0, "seen": 10_000, "unseen": 20_000}

episodes = {}


def hello(protocol, options):
    return {"name": "doors", "types": ["open"], "maxSteps": 4, "words": WORDS, "parallel": 64}


def tasks(split, count, seed):
    numbers = range(FIRST[split], FIRST[split] + min(count, 600))
    return {"tasks": [{"id": f"door-{n}", "type": "open", "colour": COLOURS[n % 3]} for n in numbers]}


def reset(episode, task):
    episodes[episode] = task["colour"]
    instruction = f"open the {task['colour']} door."
    return {"instruction": instruction, "observation": "you see three doors.", "admissibleActions": ACTIONS}


def step(episode, action):
    if action == f"open {episodes[episode]}":
        return {"observation": "it opens.", "reward": 10, "done": True, "success": True}
    return {"observation": "it is locked.", "admissibleActions": ACTIONS}


def close(episode):
    episodes.pop(episode, None)
    return {}


METHODS = {"hello": hello, "tasks": tasks, "reset": reset, "step": step, "close": close}

for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = {"id": request["id"], "result": METHODS[request["method"]](**request["params"])}
    except Exception as error:  # The episode is tried again, and the message is shown.
        answer = {"id": request["id"], "error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
