"""Writes test/fixtures/tokenizers/*.json: small Hugging Face tokenizers and what the reference implementation makes of texts with them.

    pip install tokenizers transformers jinja2
    python test/oracle/hf_tokenizers.py && npx biome format --write test/fixtures/tokenizers

Each file holds the tokenizer's own files (`files`), texts with their ids (`encode`: `full` with special tokens parsed and added, as the reference does by
default, `plain` with neither), ids with their text (`decode`), and conversations with their text (`chat`).
"""
import json
import os
import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

FOLDER = os.path.join(os.path.dirname(__file__), "..", "fixtures", "tokenizers")
QWEN_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SENTENCES = [
    "You are in the middle of a room. Looking quickly around you, you see a drawer 1, a desk 2 and a shelf 12.",
    "Your task is to: put a clean mug on the desk.",
    "You open the fridge 1. In it, you see a tomato 3, an apple 2, a cup 1 and nothing else that you don't know.",
    "Nothing happens. I'll go to cabinet 10 and then we've to take the plate from countertop 4.",
    "élève naïve, 漢字 und Übermut: 3,14 $ -- fünf_sechs (sieben) [acht] <neun>\n\tzehn",
]
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
THINKING = """{%- set ns = namespace(last=messages|length - 1, seen=false) %}
{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- set content = message.content if message.content is string else '' %}
    {%- if message.role == 'user' %}
        {%- set ns.seen = true %}
        {{- '<|im_start|>user\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == 'assistant' %}
        {%- if '</think>' in content and not loop.last %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {{- '<|im_start|>' + message.role + '\\n' + content.strip() + '<|im_end|>\\n' }}
    {%- elif message.role != 'system' %}
        {{- raise_exception('unknown role ' + message.role) }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""
HEADERS = (
    "{{ bos_token }}{% if tools %}{{ tools | tojson(indent=2) }}\n{% endif %}"
    "{% for message in messages if message['content'] %}"
    "{{ '<|start|>' ~ message.role | upper ~ '<|end|>' }}\n\n{{ message['content'] | trim }}{{ eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}<|start|>ASSISTANT<|end|>\n\n{% endif %}"
)
CHATS = [
    {"messages": [{"role": "user", "content": "Your task is to: put a mug on the desk."}], "options": {}},
    {
        "messages": [
            {"role": "system", "content": "You act."},
            {"role": "user", "content": "  go on  "},
            {"role": "assistant", "content": "<think>\nwhy\n</think>\n\ngo to desk 1"},
            {"role": "user", "content": "Nothing\nhappens: 漢字 🙂"},
        ],
        "options": {"add_generation_prompt": True},
    },
    {
        "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "<think>b</think>c"}],
        "options": {"add_generation_prompt": True, "enable_thinking": False, "tools": [{"name": "go", "to": ["desk 1", "é"]}]},
    },
]


def special(content, **rules):
    return AddedToken(content, special=True, normalized=False, **rules)


def train(tokenizer, size, specials, alphabet=()):
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=specials, initial_alphabet=list(alphabet), show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return tokenizer


def qwen_like():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(QWEN_WORDS), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel()
    train(tokenizer, 400, [special("<|endoftext|>"), special("<|im_start|>"), special("<|im_end|>")], pre_tokenizers.ByteLevel.alphabet())
    tokenizer.add_tokens([AddedToken("<think>", normalized=False), AddedToken("</think>", normalized=False)])
    tokenizer.add_tokens(
        [
            AddedToken("mug", single_word=True, normalized=False),
            AddedToken("<mask>", lstrip=True, normalized=False),
            AddedToken("<br>", rstrip=True, normalized=False),
            AddedToken("é!", normalized=True),
        ]
    )
    return tokenizer, {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "chat_template": THINKING}


def gpt2_like():
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    train(tokenizer, 380, [special("<|begin|>"), special("<|eot|>"), special("<|start|>"), special("<|end|>")], pre_tokenizers.ByteLevel.alphabet())
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(single="<|begin|> $A <|eot|>", special_tokens=[("<|begin|>", 0), ("<|eot|>", 1)]),
        ]
    )
    return tokenizer, {"bos_token": "<|begin|>", "eos_token": "<|eot|>", "chat_template": HEADERS}


def byte_fallback():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    train(tokenizer, 420, [special("<unk>"), special("<s>"), special("</s>"), *bytes_])
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = state["added_tokens"][:3]
    tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer, {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "add_bos_token": True}


def metaspace():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(r"-{2,}"), "$&")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=True)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
    train(tokenizer, 160, [special("<unk>"), special("</s>")])
    return tokenizer, {"eos_token": "</s>", "unk_token": "<unk>", "chat_template": CHATML.replace("<|im_end|>", "</s>")}


def splitters():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.CharDelimiterSplit("#"),
            pre_tokenizers.Split("e", "merged_with_previous"),
            pre_tokenizers.Split(Regex("[aou]"), "merged_with_next"),
            pre_tokenizers.Split(Regex("l"), "contiguous"),
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.Punctuation(),
            pre_tokenizers.Split(Regex("[^q]+"), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    train(tokenizer, 340, [special("</s>")], pre_tokenizers.ByteLevel.alphabet())
    return tokenizer, {"eos_token": "</s>"}


def words():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    train(tokenizer, 160, [special("<unk>"), special("</s>")])
    return tokenizer, {"eos_token": "</s>", "unk_token": "<unk>"}


PIECES = (
    "the desk You're don't I'LL naïve 漢字 🙂 👩‍👧 e\u0301 １２３ ٣ ½ ² Ⅷ ﬁ \u212b \u200b \ufeff \u0085 \u00a0 \u3000 \u2028 \x00 \x7f _ a_b ΑΣ 한국어 हिन्दी"
    " <0x41> ▁ ▁▁ $& e#q#l ll mug mugs é! e\u0301!"
).split(" ")
SPACES = [" ", "  ", "   ", "\n", "\n\n", "\t", " \n", "\r\n"]


def random_text(rng, added):
    def piece():
        kind = rng.randrange(8)
        if kind < 3:
            return rng.choice(PIECES)
        if kind == 3:
            return rng.choice(SPACES)
        if kind == 4:
            return rng.choice(added)
        if kind == 5:
            return str(rng.randrange(10 ** rng.randrange(1, 7)))
        if kind == 6:
            return " " + rng.choice(SENTENCES[0].split(" "))
        return "".join(chr(rng.choice([rng.randrange(0x20, 0x7F), rng.randrange(0xA0, 0x530), rng.randrange(0x4E00, 0x9000)])) for _ in range(3))

    return "".join(piece() for _ in range(rng.randrange(9)))


def expectations(backend, config, rng):
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **{key: value for key, value in config.items()})
    added = list(tokenizer.added_tokens_encoder)
    encode = []
    for text in ["", " ", *SENTENCES, *(random_text(rng, added) for _ in range(90))]:
        full = tokenizer(text)["input_ids"]
        plain = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        encode.append({"text": text, "full": full, "plain": plain})
    decode = []
    for index in range(40):
        # Ids as they come and ids at random, which cut characters short. Left out is what the package decodes differently on purpose: broken runs
        # of `<0xE2>` tokens, and added tokens beyond ASCII, which the reference reads as bytes.
        ids = encode[7 + index]["full"] if index % 2 else [rng.randrange(len(tokenizer)) for _ in range(rng.randrange(9))]
        names = [backend.id_to_token(id) for id in ids]
        if "é!" in names or (index % 2 == 0 and any(name.startswith("<0x") for name in names)):
            continue
        decode.append({"ids": ids, "text": tokenizer.decode(ids, clean_up_tokenization_spaces=False)})
    chat = [
        {**case, "text": tokenizer.apply_chat_template(case["messages"], tokenize=False, **case["options"])}
        for case in (CHATS if "chat_template" in config else [])
    ]
    return {"encode": encode, "decode": decode, "chat": chat}


def main():
    os.makedirs(FOLDER, exist_ok=True)
    for build in [qwen_like, gpt2_like, byte_fallback, metaspace, splitters, words]:
        backend, config = build()
        files = {"tokenizer": json.loads(backend.to_str()), "tokenizerConfig": config}
        result = {"files": files, **expectations(backend, config, random.Random(build.__name__))}
        with open(os.path.join(FOLDER, build.__name__ + ".json"), "w", encoding="utf-8") as file:
            json.dump(result, file, ensure_ascii=True, separators=(",", ":"))


main()
