"""Any Gymnasium environment of texts or named actions as an environment of proxmo (src/envs/bridge/protocol.ts).

    pip install "gymnasium[toy-text]"
    proxmo env check process --option 'command=python3 examples/gymnasium_bridge.py --env FrozenLake-v1 --actions left,down,right,up'

Observations: text as it is; of other environments the `ansi` rendering, or else the observation printed. Actions: text as it is, or the names
given by --actions for the numbers of a discrete space. A task is a seed of `reset`; each split has seeds of its own. An episode is a success
if `info` says so (`success`, `is_success`, `won`), or else if it terminates with a reward of at least --success-reward. Where `info` has an
`action_mask` or `admissible_actions`, only those actions are offered, and `info["instruction"]` is the task where it is there.
"""

import argparse
import json
import os
import re
import sys
import traceback

import gymnasium

FIRST_SEED = {"train": 0, "seen": 1_000_000, "unseen": 2_000_000}

# What the environment prints must not get between the answers.
answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
sys.stdout = sys.stderr


def parse_arguments():
    parser = argparse.ArgumentParser(description="Serves a Gymnasium environment to proxmo.")
    parser.add_argument("--env", required=True, help="id of the environment, as FrozenLake-v1")
    parser.add_argument("--import", dest="module", help="module to import first, which registers the environment")
    parser.add_argument("--kwargs", default="{}", help="arguments of gymnasium.make, as JSON")
    parser.add_argument("--actions", help="names of a discrete space's actions, with commas; default their numbers")
    parser.add_argument("--instruction", default="reach the goal.", help="the task in words")
    parser.add_argument("--success-reward", type=float, default=1.0, help="least last reward of a success")
    parser.add_argument("--max-steps", type=int, help="most steps of an episode; default the environment's, or 50")
    parser.add_argument("--tasks", type=int, default=2000, help="tasks of each split")
    parser.add_argument("--parallel", type=int, default=16, help="episodes played in this process at once")
    return parser.parse_args()


class World:
    """An environment with its actions by name."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.env = make_environment(arguments)
        space = self.env.action_space
        if isinstance(space, gymnasium.spaces.Discrete):
            names = arguments.actions.split(",") if arguments.actions else [str(space.start + i) for i in range(space.n)]
            if len(names) != space.n:
                raise SystemExit(f"--actions has {len(names)} names for {space.n} actions")
            self.actions = {name: int(space.start) + i for i, name in enumerate(names)}
        elif isinstance(space, gymnasium.spaces.Text):
            self.actions = None
        else:
            raise SystemExit(f"{arguments.env}: actions of {space} cannot be named; use an environment with discrete or text actions")

    def reset(self, task):
        observation, info = self.env.reset(seed=task["seed"])
        self.seen = self.turn(observation, info)
        return {**self.seen, "instruction": str(info.get("instruction", self.arguments.instruction))}

    def step(self, action):
        if self.actions is not None and action not in self.actions:
            return self.seen
        observation, reward, terminated, truncated, info = self.env.step(action if self.actions is None else self.actions[action])
        done = bool(terminated or truncated)
        told = next((info[key] for key in ("success", "is_success", "won") if key in info), None)
        success = bool(told) if told is not None else terminated and reward >= self.arguments.success_reward
        self.seen = self.turn(observation, info)
        return {**self.seen, "reward": float(reward), "done": done, "success": done and bool(success)}

    def turn(self, observation, info):
        return {"observation": self.describe(observation), "admissibleActions": self.offer(info)}

    def describe(self, observation):
        if isinstance(observation, str):
            return observation
        rendered = self.env.render() if self.env.render_mode == "ansi" else None
        if not isinstance(rendered, str) or not rendered.strip():
            return str(observation)
        # Colours mark a place, most often where the agent is.
        return re.sub(r"\x1b\[[0-9;]*m", "", re.sub(r"\x1b\[[1-9][0-9;]*m(.*?)\x1b\[0m", r"[\1]", rendered)).strip()

    def offer(self, info):
        if "admissible_actions" in info:
            return [str(action) for action in info["admissible_actions"]]
        if self.actions is None:
            return None
        mask = info.get("action_mask")
        return [name for i, name in enumerate(self.actions) if mask is None or mask[i]]


def make_environment(arguments):
    options = json.loads(arguments.kwargs)
    env = gymnasium.make(arguments.env, **options)
    if "ansi" not in env.metadata.get("render_modes", []) or "render_mode" in options:
        return env
    env.close()
    return gymnasium.make(arguments.env, render_mode="ansi", **options)


class Server:
    def __init__(self, arguments):
        self.arguments = arguments
        self.episodes = {}
        self.idle = []

    def hello(self, protocol, options):
        world = World(self.arguments)
        self.idle.append(world)
        limit = self.arguments.max_steps or getattr(world.env.spec, "max_episode_steps", None) or 50
        return {"name": self.arguments.env, "types": [self.arguments.env], "maxSteps": limit, "parallel": self.arguments.parallel}

    def tasks(self, split, count, seed):
        seeds = range(FIRST_SEED[split], FIRST_SEED[split] + min(count, self.arguments.tasks))
        return {"tasks": [{"id": f"seed-{number}", "type": self.arguments.env, "seed": number} for number in seeds]}

    def reset(self, episode, task):
        if episode not in self.episodes:
            self.episodes[episode] = self.idle.pop() if self.idle else World(self.arguments)
        return self.episodes[episode].reset(task)

    def step(self, episode, action):
        return self.episodes[episode].step(action)

    def close(self, episode):
        if episode in self.episodes:
            self.idle.append(self.episodes.pop(episode))
        return {}


def main():
    arguments = parse_arguments()
    if arguments.module:
        __import__(arguments.module)
    server = Server(arguments)
    methods = {name: getattr(server, name) for name in ("hello", "tasks", "reset", "step", "close")}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"id": request["id"], "result": methods[request["method"]](**request["params"])}
        except Exception as error:
            traceback.print_exc()
            answer = {"id": request["id"], "error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
