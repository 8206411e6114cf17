"""Writes test/fixtures/gguf: small GGUF files, what they hold, and blocks of each quantised type with their values.

    pip install gguf sentencepiece tokenizers numpy
    python test/oracle/gguf_files.py && npx biome format --write test/fixtures/gguf

quants.json has for each type the bytes of some blocks and the float32 values that the gguf package makes of them. NAME.gguf is a model as llama.cpp converts
it, and NAME.json what it came from: its config, its tensors under Hugging Face's names (shape and hash of the float32 values), and texts with their ids. The ids are those of the original tokenizer:
SentencePiece itself, or the tokenizers package.
"""
import base64
import hashlib
import io
import json
import os

import gguf
import numpy as np
import sentencepiece
from gguf import GGMLQuantizationType as Type
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

FOLDER = os.path.join(os.path.dirname(__file__), "..", "fixtures", "gguf")
SENTENCES = [
    "You are in the middle of a room. Looking quickly around you, you see a drawer 1, a desk 2 and a shelf 12.",
    "Your task is to: put a clean mug on the desk.",
    "You open the fridge 1. In it, you see a tomato 3, an apple 2, a cup 1 and nothing else.",
    "Nothing happens. Go to cabinet 10 and take the plate from countertop 4.",
]
TEXTS = [*SENTENCES, "", "  two  spaces ", "aaaa aaaaaaa", "naïve 漢字 🙂", "go to desk 12\n\ttake mug", "thethethe drawerdrawer"]
rng = np.random.default_rng(7)


def encoded(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def quants():
    result = {}
    names = "F16 BF16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q4_K Q5_K Q6_K".split(" ")
    for name in names:
        kind = Type[name]
        block, size = gguf.GGML_QUANT_SIZES[kind]
        blocks = rng.integers(0, 256, (8 if block == 1 else 6, size), dtype=np.uint8)
        # Scales of any bits would mostly be huge; every exponent of half precision that a model has occurs here.
        scales = (rng.normal(size=(len(blocks), 2)) * 10.0 ** rng.integers(-6, 2, (len(blocks), 2))).astype(np.float16).view(np.uint8)
        if block > 1:
            where = 208 if name == "Q6_K" else 0
            count = 4 if name in ("Q4_1", "Q5_1", "Q4_K", "Q5_K") else 2
            blocks[:, where : where + count] = scales[:, :count]
        data = blocks.reshape(1, -1)
        values = gguf.quants.dequantize(data.view(np.float16) if name == "F16" else data, kind).astype(np.float32)
        result[name] = {"blocks": encoded(data), "values": encoded(values)}
    return result


def permuted(weight, heads):
    """The order of a Llama's query and key rows in a GGUF file, as llama.cpp's converter makes it."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def random_tensor(*shape):
    return rng.normal(size=shape).astype(np.float32)


class Model:
    """A file in the making; `tensor` adds a tensor as it is stored, and what Hugging Face has in its place."""

    def __init__(self, name, architecture):
        self.name = name
        self.writer = gguf.GGUFWriter(os.path.join(FOLDER, name + ".gguf"), architecture)
        self.tensors = {}

    def tensor(self, name, hf_name, value, kind=Type.F32, stored=lambda value: value):
        data = gguf.quants.quantize(np.ascontiguousarray(stored(value)), kind)
        self.writer.add_tensor(name, data, raw_dtype=kind)
        kept = gguf.quants.dequantize(data, kind).astype(np.float32)
        # The inverse of how it is stored, by storing the places.
        places = stored(np.arange(value.size).reshape(value.shape)).reshape(-1)
        original = np.empty(value.size, np.float32)
        original[places] = kept.reshape(-1)
        self.tensors[hf_name] = {"shape": list(value.shape), "sha256": hashlib.sha256(original.tobytes()).hexdigest()}

    def norm(self, name, hf_name, width, is_gemma=False):
        """The weight of a norm; Hugging Face has Gemma's less 1, exactly."""
        value = random_tensor(width)
        if is_gemma:
            value = (1 + rng.integers(-64, 64, width) / 128).astype(np.float32)
        self.writer.add_tensor(name, value)
        original = value - np.float32(1) if is_gemma else value
        self.tensors[hf_name] = {"shape": [width], "sha256": hashlib.sha256(original.tobytes()).hexdigest()}

    def finish(self, config, texts, chat_template=None):
        if chat_template:
            self.writer.add_chat_template(chat_template)
        self.writer.write_header_to_file()
        self.writer.write_kv_data_to_file()
        self.writer.write_tensors_to_file()
        self.writer.close()
        with open(os.path.join(FOLDER, self.name + ".json"), "w", encoding="utf-8") as file:
            json.dump({"config": config, "tensors": self.tensors, "texts": texts}, file, separators=(",", ":"))


def llama_like(name, architecture, vocabulary, head_norm, biases, tied, factors=None):
    width, heads, kv_heads, head, hidden, layers = 32, 4, 2, 16, 64, 2
    model = Model(name, architecture)
    writer = model.writer
    writer.add_context_length(256)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(500000.0)
    writer.add_rope_dimension_count(head)
    writer.add_vocab_size(vocabulary)
    if factors is not None:
        writer.add_tensor("rope_freqs.weight", factors)
    is_permuted = architecture in ("llama", "smollm3")
    order = (lambda count: lambda value: permuted(value, count)) if is_permuted else (lambda count: lambda value: value)
    is_gemma = architecture == "gemma3"
    model.tensor("token_embd.weight", "model.embed_tokens.weight", random_tensor(vocabulary, width), Type.Q8_0)
    if not tied:
        model.tensor("output.weight", "lm_head.weight", random_tensor(vocabulary, width), Type.F16)
    model.norm("output_norm.weight", "model.norm.weight", width, is_gemma)
    for layer in range(layers):
        ours, theirs = f"blk.{layer}.", f"model.layers.{layer}."
        for part, hf_part, rows, columns, kind, stored in [
            ("attn_q", "self_attn.q_proj", heads * head, width, Type.Q8_0, order(heads)),
            ("attn_k", "self_attn.k_proj", kv_heads * head, width, Type.BF16, order(kv_heads)),
            ("attn_v", "self_attn.v_proj", kv_heads * head, width, Type.Q4_0, lambda value: value),
            ("attn_output", "self_attn.o_proj", width, heads * head, Type.F16, lambda value: value),
            ("ffn_gate", "mlp.gate_proj", hidden, width, Type.Q5_1, lambda value: value),
            ("ffn_up", "mlp.up_proj", hidden, width, Type.Q4_1, lambda value: value),
            ("ffn_down", "mlp.down_proj", width, hidden, Type.Q5_0, lambda value: value),
        ]:
            model.tensor(f"{ours}{part}.weight", f"{theirs}{hf_part}.weight", random_tensor(rows, columns), kind, stored)
            if part in biases:
                model.tensor(f"{ours}{part}.bias", f"{theirs}{hf_part}.bias", random_tensor(rows), Type.F32, stored)
        model.norm(f"{ours}attn_norm.weight", f"{theirs}input_layernorm.weight", width, is_gemma)
        if is_gemma:
            model.norm(f"{ours}post_attention_norm.weight", f"{theirs}post_attention_layernorm.weight", width, True)
            model.norm(f"{ours}ffn_norm.weight", f"{theirs}pre_feedforward_layernorm.weight", width, True)
            model.norm(f"{ours}post_ffw_norm.weight", f"{theirs}post_feedforward_layernorm.weight", width, True)
        else:
            model.norm(f"{ours}ffn_norm.weight", f"{theirs}post_attention_layernorm.weight", width)
        if head_norm:
            model.norm(f"{ours}attn_q_norm.weight", f"{theirs}self_attn.q_norm.weight", head, is_gemma)
            model.norm(f"{ours}attn_k_norm.weight", f"{theirs}self_attn.k_norm.weight", head, is_gemma)
    config = {
        "model_type": architecture, "vocab_size": vocabulary, "hidden_size": width, "intermediate_size": hidden, "num_hidden_layers": layers,
        "num_attention_heads": heads, "num_key_value_heads": kv_heads, "head_dim": head, "hidden_act": "silu", "rms_norm_eps": 1e-6,
        "max_position_embeddings": 256, "rope_theta": 500000, "tie_word_embeddings": tied,
    }  # fmt: skip
    return model, config


def llama3_factors(head, theta, factor=8.0, low=1.0, high=4.0, original=8192):
    """As llama.cpp's converter computes them."""
    frequencies = 1.0 / (theta ** (np.arange(0, head, 2) / head))
    factors = []
    for frequency in frequencies:
        wavelength = 2 * np.pi / frequency
        if wavelength < original / high:
            factors.append(1)
        elif wavelength > original / low:
            factors.append(factor)
        else:
            smooth = (original / wavelength - low) / (high - low)
            factors.append(1 / ((1 - smooth) / factor + smooth))
    return np.array(factors, dtype=np.float32)


def sentencepiece_tokens(writer, **options):
    """SentencePiece's own byte-pair encoding, as converters write it."""
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 4), model_writer=trained, vocab_size=360, model_type="bpe", byte_fallback=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False, minloglevel=2, **options,
    )  # fmt: skip
    processor = sentencepiece.SentencePieceProcessor(model_proto=trained.getvalue())
    size = processor.vocab_size()
    kinds = [2 if processor.is_unknown(i) else 3 if processor.is_control(i) else 6 if processor.is_byte(i) else 1 for i in range(size)]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([processor.id_to_piece(i) for i in range(size)])
    writer.add_token_scores([processor.get_score(i) for i in range(size)])
    writer.add_token_types(kinds)
    writer.add_bos_token_id(processor.bos_id())
    writer.add_eos_token_id(processor.eos_id())
    writer.add_unk_token_id(processor.unk_id())
    return [{"text": text, "ids": processor.encode(text)} for text in TEXTS if text]


def byte_level_tokens(writer, pre, size, words=()):
    tokenizer = Tokenizer(models.BPE())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pre != "gpt-4o")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*words, byte_level]) if words else byte_level
    tokenizer.decoder = decoders.ByteLevel()
    special = [AddedToken("<|endoftext|>", special=True, normalized=False), AddedToken("<|im_end|>", special=True, normalized=False)]
    trainer = trainers.BpeTrainer(
        vocab_size=size - 2, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    vocabulary = tokenizer.get_vocab()
    # Converters fill up to the size of the embedding table.
    tokens = sorted(vocabulary, key=vocabulary.get) + ["[PAD1]", "[PAD2]"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3] + [1] * (size - 4) + [5, 5])
    writer.add_token_merges([" ".join(merge) for merge in json.loads(tokenizer.to_str())["model"]["merges"]])
    writer.add_eos_token_id(1)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(False)
    return [{"text": text, "ids": tokenizer.encode(text).ids} for text in TEXTS]


def llama():
    model, config = llama_like("llama", "llama", 360, False, [], False, llama3_factors(16, 500000.0))
    scaling = {"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 8192}
    more = {"rope_scaling": scaling, "bos_token_id": 1, "eos_token_id": 2, "attention_bias": False, "mlp_bias": False}
    model.finish({**config, **more}, sentencepiece_tokens(model.writer))


def qwen2():
    model, config = llama_like("qwen2", "qwen2", 330, False, ["attn_q", "attn_k", "attn_v"], True)
    model.writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
    model.writer.add_rope_scaling_factor(4.0)
    model.writer.add_rope_scaling_orig_ctx_len(64)
    scaling = {"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 64}
    texts = byte_level_tokens(model.writer, "gpt-2", 330)
    model.finish({**config, "rope_scaling": scaling, "eos_token_id": 1}, texts, "{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}")


def qwen3():
    model, config = llama_like("qwen3", "qwen3", 330, True, [], True)
    model.finish({**config, "eos_token_id": 1, "attention_bias": False}, byte_level_tokens(model.writer, "gpt-2", 330))


def smollm3():
    model, config = llama_like("smollm3", "smollm3", 330, False, [], True)
    more = {"architectures": ["SmolLM3ForCausalLM"], "eos_token_id": 1, "attention_bias": False, "mlp_bias": False}
    model.finish({**config, **more}, byte_level_tokens(model.writer, "smollm", 330, [pre_tokenizers.Digits(individual_digits=True)]))


def gemma3():
    model, config = llama_like("gemma3", "gemma3", 360, True, [], True)
    model.writer.add_sliding_window(24)
    texts = sentencepiece_tokens(model.writer, add_dummy_prefix=False)
    model.writer.add_add_space_prefix(False)
    del config["hidden_act"]
    more = {
        "model_type": "gemma3_text", "architectures": ["Gemma3ForCausalLM"], "hidden_activation": "gelu_pytorch_tanh", "query_pre_attn_scalar": 16,
        "sliding_window": 24, "sliding_window_pattern": 6, "rope_local_base_freq": 10000, "bos_token_id": 1, "eos_token_id": 2,
    }  # fmt: skip
    model.finish({**config, **more}, texts)


def phi3():
    width, heads, kv_heads, head, hidden, layers, vocabulary = 64, 4, 2, 16, 64, 2, 330
    model = Model("phi3", "phi3")
    writer = model.writer
    short, long = [1.0, 1.05, 1.1, 1.25, 1.5, 2.0], [1.0, 1.5, 3.0, 8.0, 16.5, 30.25]
    attention_factor = np.sqrt(1 + np.log(256 / 32) / np.log(32))
    writer.add_context_length(256)
    writer.add_rope_scaling_orig_ctx_len(32)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(2 * len(short))
    writer.add_rope_freq_base(10000.0)
    writer.add_sliding_window(0)
    writer.add_rope_scaling_attn_factors(attention_factor)
    writer.add_tensor("rope_factors_long.weight", np.array(long, np.float32))
    writer.add_tensor("rope_factors_short.weight", np.array(short, np.float32))
    model.tensor("token_embd.weight", "model.embed_tokens.weight", random_tensor(vocabulary, width), Type.Q8_0)
    model.norm("output_norm.weight", "model.norm.weight", width)
    for layer in range(layers):
        ours, theirs = f"blk.{layer}.", f"model.layers.{layer}."
        for part, hf_part, rows, columns in [
            ("attn_qkv", "self_attn.qkv_proj", (heads + 2 * kv_heads) * head, width),
            ("attn_output", "self_attn.o_proj", width, heads * head),
            ("ffn_up", "mlp.gate_up_proj", 2 * hidden, width),
            ("ffn_down", "mlp.down_proj", width, hidden),
        ]:
            model.tensor(f"{ours}{part}.weight", f"{theirs}{hf_part}.weight", random_tensor(rows, columns), Type.Q8_0)
        model.norm(f"{ours}attn_norm.weight", f"{theirs}input_layernorm.weight", width)
        model.norm(f"{ours}ffn_norm.weight", f"{theirs}post_attention_layernorm.weight", width)
    config = {
        "model_type": "phi3", "architectures": ["Phi3ForCausalLM"], "vocab_size": vocabulary, "hidden_size": width, "intermediate_size": hidden,
        "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": kv_heads, "hidden_act": "silu", "rms_norm_eps": 1e-5,
        "max_position_embeddings": 256, "original_max_position_embeddings": 32, "partial_rotary_factor": 0.75, "rope_theta": 10000,
        "rope_scaling": {"rope_type": "longrope", "short_factor": short, "long_factor": long, "attention_factor": float(np.float32(attention_factor))},
        "tie_word_embeddings": True, "eos_token_id": 1, "sliding_window": None,
    }  # fmt: skip
    model.finish(config, byte_level_tokens(writer, "gpt-4o", vocabulary, [gpt4o_words()]))


def gpt4o_words():
    """As the tokenizer.json of Phi-4-mini cuts words."""
    capitals, small, ending = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    before, rest = r"[^\r\n\p{L}\p{N}]?", r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    return pre_tokenizers.Split(Regex(f"{before}{capitals}*{small}+{ending}|{before}{capitals}+{small}*{ending}|{rest}"), "isolated")


def gpt2():
    width, heads, hidden, vocabulary, positions = 32, 4, 64, 330, 24
    model = Model("gpt2", "gpt2")
    writer = model.writer
    writer.add_context_length(positions)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(heads)
    writer.add_layer_norm_eps(1e-5)
    model.tensor("token_embd.weight", "transformer.wte.weight", random_tensor(vocabulary, width), Type.Q8_0)
    model.tensor("position_embd.weight", "transformer.wpe.weight", random_tensor(positions, width))
    model.tensor("output_norm.weight", "transformer.ln_f.weight", random_tensor(width))
    model.tensor("output_norm.bias", "transformer.ln_f.bias", random_tensor(width))
    for part, hf_part, inputs, outputs in [
        ("attn_qkv", "attn.c_attn", width, 3 * width),
        ("attn_output", "attn.c_proj", width, width),
        ("ffn_up", "mlp.c_fc", width, hidden),
        ("ffn_down", "mlp.c_proj", hidden, width),
    ]:
        transposed = lambda value: value.T
        model.tensor(f"blk.0.{part}.weight", f"transformer.h.0.{hf_part}.weight", random_tensor(inputs, outputs), Type.Q8_0, transposed)
        model.tensor(f"blk.0.{part}.bias", f"transformer.h.0.{hf_part}.bias", random_tensor(outputs))
    for part, hf_part in [("attn_norm", "ln_1"), ("ffn_norm", "ln_2")]:
        model.tensor(f"blk.0.{part}.weight", f"transformer.h.0.{hf_part}.weight", random_tensor(width))
        model.tensor(f"blk.0.{part}.bias", f"transformer.h.0.{hf_part}.bias", random_tensor(width))
    config = {
        "model_type": "gpt2", "vocab_size": vocabulary, "n_embd": width, "n_layer": 1, "n_head": heads, "n_positions": positions, "n_inner": hidden,
        "layer_norm_epsilon": 1e-5, "activation_function": "gelu_new", "tie_word_embeddings": True, "eos_token_id": 1,
    }  # fmt: skip
    model.finish(config, byte_level_tokens(writer, "gpt-2", vocabulary))


def main():
    os.makedirs(FOLDER, exist_ok=True)
    with open(os.path.join(FOLDER, "quants.json"), "w", encoding="utf-8") as file:
        json.dump(quants(), file, separators=(",", ":"))
    for build in [llama, qwen2, qwen3, gpt2, smollm3, phi3, gemma3]:
        build()


main()
