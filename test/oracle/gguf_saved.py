"""Holds GGUF files that `proxmo model export --gguf` wrote against the Hugging Face folders that they came from, by the gguf package.

    python test/oracle/gguf_saved.py MODEL.gguf FOLDER [--tolerance 0]

Prints the metadata and the largest difference between the tensors, in llama.cpp's order of rows; fails beyond the tolerance. Needs gguf, numpy and safetensors.
"""

import argparse
import pathlib
import sys

import gguf
import numpy as np
from safetensors import safe_open


def tensors_of(folder):
    result = {}
    for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            result.update({name: file.get_tensor(name).float().numpy() for name in file.keys()})
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("folder")
    parser.add_argument("--tolerance", type=float, default=0.0)
    options = parser.parse_args()
    reader = gguf.GGUFReader(options.file)
    architecture = reader.fields["general.architecture"].contents()
    for name, field in reader.fields.items():
        value = field.contents()
        print(name, value if not isinstance(value, list) or len(value) < 8 else f"{len(value)} values")
    layers = reader.fields[f"{architecture}.block_count"].contents()
    heads = reader.fields[f"{architecture}.attention.head_count"].contents()
    key_heads = reader.fields.get(f"{architecture}.attention.head_count_kv")
    names = gguf.get_tensor_name_map(next(arch for arch, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture), layers)
    stored = {tensor.name: tensor for tensor in reader.tensors}
    largest = 0.0
    for name, value in tensors_of(options.folder).items():
        mapped = names.get_name(name, try_suffixes=(".weight", ".bias"))
        tensor = stored.pop(mapped)
        if architecture in ("llama", "smollm3") and ("q_proj" in name or "k_proj" in name):
            count = heads if "q_proj" in name else key_heads.contents()
            value = value.reshape(count, 2, value.shape[0] // count // 2, *value.shape[1:]).swapaxes(1, 2).reshape(value.shape)
        if architecture == "gpt2" and value.ndim == 2 and ".h." in name:
            value = value.T
        if architecture == "gemma3" and name.endswith("norm.weight"):
            value = value + np.float32(1)
        found = gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(value.shape)
        largest = max(largest, float(np.abs(found - value).max()))
    print("left over", sorted(stored))
    print("largest difference", largest)
    return 0 if largest <= options.tolerance else 1


if __name__ == "__main__":
    sys.exit(main())
