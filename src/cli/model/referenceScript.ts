/**
 * A program in Python that computes with transformers what `proxmo model verify` compares with, and writes it as
 * `expected.ts` describes it.
 */

export interface ReferenceOptions {
  /** Folder of the model, or of its GGUF file. */
  readonly folder: string;
  /** Name of the GGUF file in the folder; null for a folder of Hugging Face. */
  readonly gguf: string | null;
  readonly hasTokenizer: boolean;
  /** Where the results go. */
  readonly output: string;
  /** Tokens of each of the two sequences. */
  readonly length: number;
  /** Steps of AdamW on all weights whose losses are noted. */
  readonly steps: number;
}

/** Tokens that the greedy continuation begins with, and those that it adds, at most. */
const promptLength = 8;
const newTokens = 12;

/** The program, with its options in it. It needs torch and transformers, for a GGUF file gguf and accelerate, too. */
export function referenceScript(options: ReferenceOptions): string {
  // A text of JSON, once more as JSON, is a text of Python.
  const literal = JSON.stringify(JSON.stringify({ ...options, promptLength, newTokens }));
  return `import json
import pathlib

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

options = json.loads(${literal})
source = dict(pretrained_model_name_or_path=options["folder"])
if options["gguf"] is not None:
    source["gguf_file"] = options["gguf"]
model = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32).eval()
tokenizer = AutoTokenizer.from_pretrained(**source) if options["hasTokenizer"] else None
expected = {}

TEXTS = [
    "On the desk you see a book, two pencils and a red mug, which somebody has left there. It is time to put them away.",
    "def area(width, height):\\n    return width * height  # 3.14 is not needed here; see chapter 12 of the manual.\\n",
    "Größe, naïve, 世界, привет, שלום, 🙂 — \\"quotes\\" and   spaces,\\ttabs, 0123456789.",
]
torch.manual_seed(1)
length = options["length"]
ids = torch.randint(0, min(model.config.vocab_size, 480), (2, length))
if tokenizer is not None:
    tokens = [tokenizer(text, add_special_tokens=False).input_ids for text in TEXTS[:2]]
    ids = torch.tensor([(row * length)[:length] for row in tokens])
    expected["tokenizer"] = [dict(text=text, ids=tokenizer(text).input_ids) for text in TEXTS]
    if tokenizer.chat_template:
        messages = [dict(role="user", content="What is 2 + 3?")]
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        expected["chat"] = dict(messages=messages, text=text)

positions = [0, length // 2 - 1, length - 1]
output = model(ids, labels=ids)
output.loss.backward()
expected["input_ids"] = ids.tolist()
expected["logits_positions"] = positions
expected["logits"] = [[[round(x, 6) for x in row[at].tolist()] for at in positions] for row in output.logits]
expected["loss"] = output.loss.item()
expected["grads"] = {
    name: dict(norm=parameter.grad.norm().item(), first=parameter.grad.flatten()[:4].tolist())
    for name, parameter in model.named_parameters()
}

prompt = ids[:1, : options["promptLength"]]
# No token ends the text, and none is made unlikely: the continuation is as long as asked for.
model.generation_config = type(model.generation_config)(pad_token_id=0)
with torch.no_grad():
    generated = model.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=options["newTokens"], do_sample=False
    )
expected["greedy"] = dict(prompt=prompt[0].tolist(), tokens=generated[0, prompt.shape[1] :].tolist())

if options["steps"] > 0:
    adamw = dict(lr=1e-3, weight_decay=0.01, betas=[0.9, 0.999], eps=1e-8, clip=1.0, losses=[])
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=adamw["lr"], weight_decay=adamw["weight_decay"], betas=tuple(adamw["betas"]), eps=adamw["eps"]
    )
    for _ in range(options["steps"]):
        optimizer.zero_grad()
        loss = model(ids, labels=ids).loss
        adamw["losses"].append(loss.item())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), adamw["clip"])
        optimizer.step()
    expected["adamw"] = adamw

pathlib.Path(options["output"]).write_text(json.dumps(expected))
print("wrote", options["output"])
`;
}
