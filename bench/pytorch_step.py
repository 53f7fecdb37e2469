"""Training steps in PyTorch on the models and shapes of `ingot bench step`: forward, backward, clipping and AdamW.

bf16 by autocast over fp32 weights, fused attention (scaled_dot_product_attention) and fused AdamW, as nanoGPT and most
trainers have it; "compile" adds torch.compile. Prints one JSON object.

    python3 bench/pytorch_step.py --model gpt2-124m --batch 32 --sequence 1024 --mode compile
"""

import argparse
import json
import math
import time

import torch
from torch import nn
from torch.nn import functional as F

GPT2 = {"gpt2-124m": (12, 768, 12), "gpt2-355m": (24, 1024, 16), "gpt2-774m": (36, 1280, 20), "gpt2-1.5b": (48, 1600, 25)}
# Layers, width, inner width, heads, key/value heads, vocabulary, base of the rotary positions.
QWEN2 = {"qwen2-0.5b": (24, 896, 4864, 14, 2, 151936, 1e6), "qwen2-1.5b": (28, 1536, 8960, 12, 2, 151936, 1e6)}


class Gpt2Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = (t.view(batch, length, self.heads, -1).transpose(1, 2) for t in self.qkv(self.ln_1(x)).split(width, 2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(batch, length, width))
        return x + self.down(F.gelu(self.up(self.ln_2(x)), approximate="tanh"))


class Gpt2(nn.Module):
    vocabulary = 50257

    def __init__(self, layers, width, heads, positions):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(self.vocabulary, width), nn.Embedding(positions, width)
        self.blocks = nn.ModuleList(Gpt2Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        nn.init.normal_(self.tokens.weight, std=0.02)

    def forward(self, tokens, targets):
        x = self.tokens(tokens) + self.positions.weight[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.norm(x), self.tokens.weight)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat((-b, a), -1) * sin


class Qwen2Block(nn.Module):
    def __init__(self, width, inner, heads, groups):
        super().__init__()
        self.heads, self.groups, size = heads, groups, width // heads
        self.norm_1, self.norm_2 = nn.RMSNorm(width, eps=1e-6), nn.RMSNorm(width, eps=1e-6)
        self.q, self.out = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.k, self.v = nn.Linear(width, groups * size), nn.Linear(width, groups * size)
        self.gate, self.up = nn.Linear(width, inner, bias=False), nn.Linear(width, inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x, cos, sin):
        batch, length, width = x.shape
        y = self.norm_1(x)
        q, k, v = (
            t.view(batch, length, heads, -1).transpose(1, 2)
            for t, heads in ((self.q(y), self.heads), (self.k(y), self.groups), (self.v(y), self.groups))
        )
        q, k = rotate(q, cos, sin).to(v.dtype), rotate(k, cos, sin).to(v.dtype)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        x = x + self.out(y.transpose(1, 2).reshape(batch, length, width))
        y = self.norm_2(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Qwen2(nn.Module):
    def __init__(self, layers, width, inner, heads, groups, vocabulary, base, length):
        super().__init__()
        self.vocabulary = vocabulary
        self.tokens = nn.Embedding(vocabulary, width)
        self.blocks = nn.ModuleList(Qwen2Block(width, inner, heads, groups) for _ in range(layers))
        self.norm = nn.RMSNorm(width, eps=1e-6)
        nn.init.normal_(self.tokens.weight, std=0.02)
        size = width // heads
        angles = torch.outer(torch.arange(length), base ** (-torch.arange(0, size, 2) / size)).repeat(1, 2)
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, tokens, targets):
        x = self.tokens(tokens)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        logits = F.linear(self.norm(x), self.tokens.weight)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def make(name, length):
    if name in GPT2:
        return Gpt2(*GPT2[name], max(1024, length))
    return Qwen2(*QWEN2[name], length)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=[*GPT2, *QWEN2], default="gpt2-124m")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--sequence", type=int, default=1024)
    parser.add_argument("--mode", choices=["eager", "compile"], default="eager")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()

    torch.manual_seed(1)
    torch.set_float32_matmul_precision("high")
    cuda = options.device == "cuda"
    model = make(options.model, options.sequence).to(options.device)
    parameters = list(model.parameters())
    groups = [{"params": [p for p in parameters if p.dim() >= 2], "weight_decay": 0.1},
              {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-4, betas=(0.9, 0.95), fused=cuda)
    forward = torch.compile(model) if options.mode == "compile" else model
    shape = (options.batch, options.sequence)
    tokens, targets = (torch.randint(model.vocabulary, shape, device=options.device) for _ in range(2))

    def wait():
        if cuda:
            torch.cuda.synchronize()

    def step():
        with torch.autocast(options.device, dtype=torch.bfloat16):
            loss = forward(tokens, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss

    for _ in range(min(5, options.steps)):
        loss = step()
    wait()
    assert math.isfinite(loss.item())
    # Two rounds, the better one counts; within a round the host runs ahead, as it does in training.
    best = math.inf
    for _ in range(2):
        start = time.perf_counter()
        for _ in range(options.steps):
            step()
        wait()
        best = min(best, (time.perf_counter() - start) / options.steps)
    print(json.dumps({
        "model": options.model, "batch": options.batch, "sequence": options.sequence, "mode": options.mode,
        "torch": torch.__version__, "parameters": sum(p.numel() for p in parameters),
        "tokensPerSecond": round(options.batch * options.sequence / best, 1), "msPerStep": round(best * 1e3, 3),
        "peakMemoryMB": round(torch.cuda.max_memory_allocated() / 2**20, 1) if cuda else None,
    }))


if __name__ == "__main__":
    main()
