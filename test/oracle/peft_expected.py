"""What PEFT computes with a LoRA adapter on a Hugging Face model: writes an adapter's folder and the expected.json that `test/nn/lora.test.ts` compares with.

    python test/oracle/peft_expected.py make BASE DIR --targets q_proj,v_proj [--rank 4] [--alpha 6] [--rslora] [--options JSON] [--seed 1]
    python test/oracle/peft_expected.py compare BASE DIR OTHER
    python test/oracle/peft_expected.py merged BASE DIR MERGED

`make` saves an adapter with random weights, B too, those of modules_to_save moved away from the base's, and what one training step sees; `compare` prints the largest difference between the logits of two adapters on a base,
and fails unless it is 0; `merged` prints that between an adapter on its base and a whole model. Needs torch, transformers and peft; runs on the CPU.
"""

import argparse
import json
import pathlib
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def make(base, folder, targets, rank, alpha, rslora, seed, options):
    torch.manual_seed(seed)
    fan_in_fan_out = load(base).config.model_type == "gpt2"
    targets = targets if targets == "all-linear" else targets.split(",")
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        target_modules=targets,
        use_rslora=rslora,
        fan_in_fan_out=fan_in_fan_out,
        task_type="CAUSAL_LM",
        init_lora_weights=False,
        **options,
    )
    model = get_peft_model(load(base), config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(0.3 * torch.randn_like(parameter))
            elif ".modules_to_save." in name:
                parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    vocab = model.config.vocab_size
    ids = torch.randint(0, vocab, (2, 12))
    output = model(ids, labels=ids)
    output.loss.backward()
    saved = lambda name: name.replace(".modules_to_save.default", "").replace(".default", "")
    trained = {saved(name): p for name, p in model.named_parameters() if p.requires_grad}
    expected = dict(
        input_ids=ids.tolist(),
        last_logits=[row[-1].tolist() for row in output.logits],
        loss=output.loss.item(),
        grads={name: dict(norm=p.grad.norm().item(), first=p.grad.flatten()[:4].tolist()) for name, p in trained.items()},
    )
    (folder / "expected.json").write_text(json.dumps(expected))


def logits_of(model):
    ids = torch.arange(24).reshape(2, 12) % model.config.vocab_size
    with torch.no_grad():
        return model(ids).logits


def difference(base, adapter, other):
    return (logits_of(PeftModel.from_pretrained(load(base), adapter)) - logits_of(other)).abs().max().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["make", "compare", "merged"])
    parser.add_argument("base", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("other", type=pathlib.Path, nargs="?")
    parser.add_argument("--targets", default="all-linear", help="names of modules with commas, or all-linear")
    parser.add_argument("--rank", type=int, default=4)
    parser.add_argument("--alpha", type=float, default=6)
    parser.add_argument("--rslora", action="store_true")
    parser.add_argument("--options", type=json.loads, default={}, help="other settings of LoraConfig, as JSON")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.action == "make":
        make(options.base, options.folder, options.targets, options.rank, options.alpha, options.rslora, options.seed, options.options)
        return 0
    is_merged = options.action == "merged"
    other = load(options.other) if is_merged else PeftModel.from_pretrained(load(options.base), options.other)
    largest = difference(options.base, options.folder, other)
    print(f"largest difference of logits: {largest}")
    return 0 if largest <= (1e-5 if is_merged else 0) else 1


if __name__ == "__main__":
    sys.exit(main())
