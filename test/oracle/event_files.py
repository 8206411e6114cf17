"""Reads an event file with TensorBoard's own reader, and prints its scalars as JSON.

Not run by the tests: pip install tensorboard, then
  python test/oracle/event_files.py FOLDER [metrics.jsonl]
With the metrics of the run beside it, every figure is compared with them.
"""
import json
import math
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0})
events.Reload()
tags = events.Tags()["scalars"]
found = {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in tags}
if len(sys.argv) < 3:
    print(json.dumps(found, indent=1))
    sys.exit()

expected = {}
for line in open(sys.argv[2]):
    record = json.loads(line)
    for name, value in record.items():
        value = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}.get(value, value) if isinstance(value, str) else value
        if name not in ("kind", "iteration") and isinstance(value, (int, float)) and not isinstance(value, bool):
            expected.setdefault(f"{record['kind']}/{name}", []).append((record["iteration"], value))
assert found.keys() == expected.keys(), found.keys() ^ expected.keys()
for tag, points in expected.items():
    assert len(points) == len(found[tag]), tag
    for (step, value), (its_step, its_value) in zip(points, found[tag]):
        assert step == its_step, tag
        assert math.isclose(value, its_value, rel_tol=1e-6, abs_tol=1e-37) or math.isnan(value) and math.isnan(its_value), (tag, value, its_value)
print(f"{len(expected)} tags with {sum(map(len, expected.values()))} points are equal")
