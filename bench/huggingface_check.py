"""Models exchanged with Hugging Face's transformers 4 or 5: are the logits and the greedy continuation the same?

It takes a machine with torch and transformers; the C# side needs neither and runs before or after on any machine. Not run yet:
no machine with transformers was at hand.

    python3 bench/huggingface_check.py save DIR      small models with random weights, with their logits
    INGOT_HUGGINGFACE=DIR dotnet test tests/Ingot.Tests -c Release --filter HuggingFaceExchange
                                                     loads and compares these, and exports models of ours
    python3 bench/huggingface_check.py compare DIR   loads what was exported, and compares

DIR/theirs/NAME and DIR/ours/NAME are model folders, each with an exchange.json: {"ids": tokens, "logits": a row for each token,
"greedy": the tokens that follow}. The exit code is 0 if all logits agree to 1e-4 and all continuations are equal.
"""

import json
import sys
from pathlib import Path

import torch
import transformers

IDS = [3, 17, 0, 9, 9, 1, 22, 5, 11, 2]
GREEDY = 12
TOLERANCE = 1e-4


def configs():
    """Every family, with what sets its members apart. Weights are large enough for logits that matter."""
    sizes = dict(vocab_size=29, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
                 num_key_value_heads=2, max_position_embeddings=64, initializer_range=0.3)
    llama3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16)
    if int(transformers.__version__.split(".")[0]) >= 5:
        scaled = dict(rope_parameters=dict(llama3, rope_theta=500.0))
    else:
        scaled = dict(rope_scaling=llama3, rope_theta=500.0)
    yield "gpt2", transformers.GPT2Config(vocab_size=29, n_positions=64, n_embd=32, n_layer=2, n_head=4, initializer_range=0.3,
                                          bos_token_id=0, eos_token_id=0)
    yield "llama", transformers.LlamaConfig(**sizes, tie_word_embeddings=False)
    yield "llama-tied", transformers.LlamaConfig(**sizes, tie_word_embeddings=True, head_dim=16)
    yield "llama3", transformers.LlamaConfig(**sizes, **scaled, attention_bias=True)
    yield "qwen2", transformers.Qwen2Config(**sizes, tie_word_embeddings=True)
    yield "qwen3", transformers.Qwen3Config(**sizes, head_dim=16)


@torch.no_grad()
def run(model):
    model.eval()
    ids = torch.tensor([IDS])
    logits = model(ids).logits[0]
    for _ in range(GREEDY):
        ids = torch.cat([ids, model(ids).logits[:, -1].argmax(-1, keepdim=True)], dim=1)
    return logits, ids[0, len(IDS):].tolist()


def save(directory):
    for name, config in configs():
        torch.manual_seed(1)
        model = transformers.AutoModelForCausalLM.from_config(config).float()
        for parameter in model.parameters():  # Biases start at 0, norms at 1, where errors would hide.
            if parameter.dim() == 1:
                parameter.data += 0.2 * torch.randn_like(parameter)
        folder = directory / "theirs" / name
        model.save_pretrained(folder, max_shard_size="20KB" if name == "llama" else "5GB")
        logits, greedy = run(model)
        (folder / "exchange.json").write_text(json.dumps({"ids": IDS, "logits": logits.tolist(), "greedy": greedy}))
        print(f"saved {folder}")
    return True


def compare(directory):
    good = True
    folders = sorted((directory / "ours").iterdir())
    for folder in folders:
        expected = json.loads((folder / "exchange.json").read_text())
        assert expected["ids"] == IDS and len(expected["greedy"]) == GREEDY
        model, report = transformers.AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
        logits, greedy = run(model.float())
        difference = (logits - torch.tensor(expected["logits"])).abs().max().item()
        strange = {key: list(report[key]) for key in ("missing_keys", "unexpected_keys", "mismatched_keys") if report.get(key)}
        same = difference <= TOLERANCE and greedy == expected["greedy"] and not strange
        good = good and same
        print(f"{folder.name:12} {'same' if same else 'DIFFERENT'}: logits differ by {difference:.1e} at most; greedy text "
              f"{'equal' if greedy == expected['greedy'] else 'another'}; {strange or 'all tensors in their places'}")
    return good and len(folders) > 0


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("save", "compare"):
        sys.exit(__doc__)
    print(f"transformers {transformers.__version__}, torch {torch.__version__}")
    sys.exit(0 if {"save": save, "compare": compare}[sys.argv[1]](Path(sys.argv[2])) else 1)
