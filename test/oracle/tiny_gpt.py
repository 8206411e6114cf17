"""What PyTorch makes of the tiny GPT's training step (src/cli/bench/tinyGpt.ts): prints the losses of six steps of Adam, for test/cli/benchTinyGpt.test.ts.

    python test/oracle/tiny_gpt.py

Weights and tokens come from a linear congruential generator, so that both programs make them alike. Needs torch and numpy; float64 on the CPU.
"""

import numpy as np
import torch
import torch.nn.functional as F

VOCABULARY, WIDTH, LAYERS, HEADS, HIDDEN, LENGTH, BATCH = 512, 128, 4, 4, 512, 128, 8
STEPS, RATE = 6, 1e-3


def generator(seed):
    state = seed
    while True:
        state = (state * 1664525 + 1013904223) % 2**32
        yield state >> 16


def shapes():
    """Matrices first, then norms, as in the parameter slab."""
    layers = [
        ("qkv", (3 * WIDTH, WIDTH)),
        ("output", (WIDTH, WIDTH)),
        ("up", (HIDDEN, WIDTH)),
        ("down", (WIDTH, HIDDEN)),
    ]
    yield "embedding", (VOCABULARY, WIDTH)
    yield "positions", (LENGTH, WIDTH)
    for layer in range(LAYERS):
        for name, shape in layers:
            yield f"{layer}.{name}", shape
    yield "head", (VOCABULARY, WIDTH)
    for layer in range(LAYERS):
        for name in ("attention", "mlp"):
            yield f"{layer}.{name}.norm", (WIDTH,)
            yield f"{layer}.{name}.norm.bias", (WIDTH,)
    yield "final.norm", (WIDTH,)
    yield "final.norm.bias", (WIDTH,)


def weights():
    numbers = generator(7)
    made = {}
    for name, shape in shapes():
        values = np.array([next(numbers) for _ in range(int(np.prod(shape)))], dtype=np.float64) / 2**15 - 1
        values = values.astype(np.float32) * np.float32(0.0625)
        if name.endswith("norm"):
            values += np.float32(1)
        made[name] = torch.tensor(values.astype(np.float64).reshape(shape), requires_grad=True)
    return made


def data(seed):
    numbers = generator(seed)
    tokens, targets, token = [], [], 0
    for row in range(BATCH * LENGTH):
        if row % LENGTH == 0:
            token = next(numbers) % VOCABULARY
        tokens.append(token)
        token = (token * 5 + 1 if next(numbers) % 2 == 0 else token + 7) % VOCABULARY
        targets.append(token)
    return torch.tensor(tokens).view(BATCH, LENGTH), torch.tensor(targets).view(BATCH, LENGTH)


def loss_of(w, tokens, targets):
    def norm(x, name):
        return F.layer_norm(x, (WIDTH,), w[f"{name}.norm"], w[f"{name}.norm.bias"], 1e-5)

    x = w["embedding"][tokens] + w["positions"]
    for layer in range(LAYERS):
        qkv = norm(x, f"{layer}.attention") @ w[f"{layer}.qkv"].T
        q, k, v = (part.view(BATCH, LENGTH, HEADS, -1).transpose(1, 2) for part in qkv.chunk(3, dim=-1))
        context = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(BATCH, LENGTH, WIDTH)
        x = x + context @ w[f"{layer}.output"].T
        x = x + F.gelu(norm(x, f"{layer}.mlp") @ w[f"{layer}.up"].T, approximate="tanh") @ w[f"{layer}.down"].T
    logits = norm(x, "final") @ w["head"].T
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def main():
    w = weights()
    adam = torch.optim.Adam(w.values(), lr=RATE)
    losses = []
    for step in range(STEPS):
        loss = loss_of(w, *data(1 + step % 4))
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(round(loss.item(), 6))
    print(losses)


main()
