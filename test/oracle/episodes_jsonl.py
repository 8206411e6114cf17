"""Loads what `proxmo export RUN --jsonl FILE` wrote with the `datasets` library: python episodes_jsonl.py FILE."""

import sys

from datasets import load_dataset

data = load_dataset("json", data_files=sys.argv[1], split="train")
assert data.column_names[0] == "messages", data.column_names
assert data.features["reward"].dtype == "float64", data.features
for row in data:
    roles = [message["role"] for message in row["messages"]]
    assert roles == ["user", "assistant"] * (len(roles) // 2), roles
    assert len(row["rewards"]) == len(row["advantages"]) == len(row["valid"]) == len(roles) // 2
    assert abs(sum(row["rewards"]) - row["reward"]) < 1e-9
print(f"{len(data)} episodes, {data.features}")
