"""What PyTorch computes with a Hugging Face model: writes the expected.json that `proxmo model verify` compares with.

    python test/oracle/hf_expected.py make DIR --family llama --config '{"num_key_value_heads": 1}' [--dtype bfloat16] [--shard-size 100KB] [--seed 1]
    python test/oracle/hf_expected.py expect DIR
    python test/oracle/hf_expected.py compare DIR OTHER

`make` saves a tiny model with random weights (norms and biases too) and its expected.json; `expect` writes that file for a model that is there;
`compare` prints the largest difference between the logits of two folders, and fails unless it is 0. Needs torch and transformers; runs on the CPU.
"""

import argparse
import json
import pathlib
import subprocess
import sys

import torch
from transformers import AutoConfig, AutoModelForCausalLM

LLAMA_LIKE = dict(
    vocab_size=512,
    hidden_size=48,
    intermediate_size=112,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=256,
)
FAMILIES = dict(
    gpt2=dict(vocab_size=512, n_embd=48, n_layer=2, n_head=4, n_positions=256),
    llama=LLAMA_LIKE,
    qwen2=LLAMA_LIKE,
    qwen3=dict(LLAMA_LIKE, head_dim=16),
    mistral=dict(LLAMA_LIKE, sliding_window=32),
    smollm3=LLAMA_LIKE,
    phi3=LLAMA_LIKE,
    gemma3_text=dict(LLAMA_LIKE, head_dim=16, sliding_window=32),
)


def make(folder, family, changes, dtype, shard_size, seed):
    torch.manual_seed(seed)
    config = AutoConfig.for_model(family, **{**FAMILIES[family], "initializer_range": 0.15, **changes})
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                # Gemma keeps the weights of its norms less 1.
                centre = 1.0 if ("norm" in name or "ln_" in name) and not family.startswith("gemma") else 0.0
                if name.endswith("bias"):
                    centre = 0.0
                parameter.copy_(centre + 0.15 * torch.randn_like(parameter))
    model.to(getattr(torch, dtype)).save_pretrained(folder, max_shard_size=shard_size)


def expect(folder, length, steps):
    """Runs the program that the command prints for anybody."""
    root = pathlib.Path(__file__).parents[2]
    command = ["node", "scripts/run.mjs", "src/cli/main.ts", "model", "reference", str(folder.resolve())]
    options = ["--length", str(length), "--steps", str(steps)]
    program = subprocess.run([*command, *options], cwd=root, check=True, capture_output=True, text=True).stdout
    exec(compile(program, "model reference", "exec"), {})


def compare(folder, other):
    models = [AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval() for path in (folder, other)]
    ids = torch.arange(40).reshape(2, 20)
    with torch.no_grad():
        logits = [model(ids).logits for model in models]
    difference = (logits[0] - logits[1]).abs().max().item()
    print(f"largest difference of logits: {difference}")
    return 0 if difference == 0 else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["make", "expect", "compare"])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("other", type=pathlib.Path, nargs="?")
    parser.add_argument("--family", choices=sorted(FAMILIES))
    parser.add_argument("--config", type=json.loads, default={}, help="fields of the configuration, as JSON")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--shard-size", default="5GB")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--length", type=int, default=24)
    parser.add_argument("--steps", type=int, default=5)
    options = parser.parse_args()
    if options.action == "compare":
        return compare(options.folder, options.other)
    if options.action == "make":
        make(options.folder, options.family, options.config, options.dtype, options.shard_size, options.seed)
    expect(options.folder, options.length, options.steps)
    return 0


if __name__ == "__main__":
    sys.exit(main())
