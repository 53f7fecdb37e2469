"""Puts what bench/gpu-check.sh measured into one JSON file and one table.

    gpu-check-report.py LOGS RESULT COMMIT      writes RESULT.json and RESULT.txt, and prints the table
"""

import datetime
import json
import pathlib
import re
import sys


def last_json(path):
    """The JSON object that a log ends with; None where there is none."""
    try:
        text = path.read_text()
        return json.loads(text[text.index("{"):])
    except (OSError, ValueError):
        return None


def benchmarks(path):
    report = last_json(path)
    rows = [] if report is None else report["benchmarks"]
    return [
        {"name": row["name"].removesuffix("/real_time"), "kernel": row.get("label", ""), "microseconds": row["real_time"] / 1e3,
         "tflops": row.get("GFLOP/s", 0) / 1e3, "gigabytesPerSecond": row.get("GB/s", 0)}
        for row in rows if "error_occurred" not in row
    ]


def steps(logs):
    found = {}
    for path in sorted(logs.glob("step.*.json")):
        model, side = re.fullmatch(r"step\.(.+)\.(ingot|eager|compile)\.json", path.name).groups()
        if (figures := last_json(path)) is not None:
            found.setdefault(model, {})[side] = figures
    return found


def table(report):
    yield f"{'part':<28} {'result':<12} seconds"
    for row in report["parts"]:
        yield f"{row['part']:<28} {row['result']:<12} {row['seconds']:>7}"
    for title in ("attention", "matmul"):
        if report[title]:
            yield ""
            yield f"{title:<72} {'kernel':<14} {'us':>10} {'TFLOP/s':>8} {'GB/s':>7}"
        for row in report[title]:
            yield (f"{row['name']:<72} {row['kernel']:<14} {row['microseconds']:>10.1f} {row['tflops']:>8.1f} "
                   f"{row['gigabytesPerSecond']:>7.0f}")
    if report["steps"]:
        yield ""
        yield f"{'whole step':<14} {'batch':>9} {'by':<8} {'tokens/s':>10} {'ms/step':>9} {'MiB':>8} {'TFLOP/s':>8} {'against':>8}"
    for model, sides in report["steps"].items():
        ingot = sides.get("ingot")
        for side, row in sorted(sides.items(), key=lambda item: ("ingot", "eager", "compile").index(item[0])):
            # Both sides compute the same model: the work of a token is the same.
            rate = "" if ingot is None else f"{ingot['gflops'] / 1e3 * row['tokensPerSecond'] / ingot['tokensPerSecond']:.1f}"
            ratio = "" if ingot is None or side == "ingot" else f"{ingot['tokensPerSecond'] / row['tokensPerSecond']:.2f}x"
            shape = f"{row['batch']}x{row['sequence']}"
            yield (f"{model:<14} {shape:>9} {side:<8} {row['tokensPerSecond']:>10,.0f} {row['msPerStep']:>9.2f} "
                   f"{row['peakMemoryMB']:>8,.0f} {rate:>8} {ratio:>8}")


def main():
    logs, result, commit = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    doctor = (logs / "doctor.log").read_text().splitlines()
    report = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit,
        "machine": [line for line in doctor if re.match(r"(cpu|cuda:\d+|CUDA) ", line)],
        "parts": [json.loads(line) for line in (logs / "parts.jsonl").read_text().splitlines()],
        "attention": benchmarks(logs / "attention_bench.json") + benchmarks(logs / "attention_bench.flash-mma.json"),
        "matmul": benchmarks(logs / "matmul_bench.json"),
        "steps": steps(logs),
    }
    text = "\n".join([*report["machine"], "", *table(report)]) + "\n"
    pathlib.Path(result + ".json").write_text(json.dumps(report, indent=2) + "\n")
    pathlib.Path(result + ".txt").write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
