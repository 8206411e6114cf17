"""transformers for decode.mjs: reads a GGUF model in float32, then writes a reply for every line of its standard input.

    python bench/peers/decode_torch.py MODEL.gguf TOKENS

Needs torch, transformers and gguf; runs on the CPU with as many threads as torch takes by itself.
"""

import json
import os
import sys
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

path, tokens = sys.argv[1], int(sys.argv[2])
folder, name = os.path.split(path)
tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32).eval()
prompt = tokenizer("The capital of France is", return_tensors="pt").input_ids


@torch.inference_mode()
def reply():
    started = time.perf_counter()
    ids, past, made, first, cpu = prompt, None, [], 0.0, 0.0
    for _ in range(tokens):
        out = model(input_ids=ids, past_key_values=past, use_cache=True)
        past, ids = out.past_key_values, out.logits[:, -1:].argmax(-1)
        made.append(int(ids))
        first, cpu = first or time.perf_counter(), cpu or time.process_time()
    seconds = time.perf_counter() - first
    return dict(
        text=",".join(map(str, made)),
        secondsToFirst=first - started,
        tokensPerSecond=(tokens - 1) / seconds,
        cpuMs=1000 * (time.process_time() - cpu) / (tokens - 1),
    )


ready = reply()
size = sum(p.numel() * p.element_size() for p in model.parameters()) / 2**20
print(json.dumps(dict(text=ready["text"], secondsToFirst=ready["secondsToFirst"], weightsMiB=size)), flush=True)
for _ in sys.stdin:
    print(json.dumps(reply()), flush=True)
