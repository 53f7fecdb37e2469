#!/usr/bin/env python3
"""Makes text like that of the web for timing `ingot data prepare`: JSON Lines on stdout.

Sentences are walks through the word pairs of a real text; documents are some of a pool of sentences, with lengths spread as those of pages
are. One document in twenty came before, one in twenty came before with a few words changed, and some have remnants of HTML, broken
encodings, addresses and telephone numbers. The same arguments make the same bytes.

    prepare-data.py MEGABYTES TEXT...
"""
import collections
import gzip
import json
import random
import sys

POOL = 300_000
DIRT = ["<p>{}</p>", "{} &amp; more&nbsp;", "{} donâ€™t", "{} Write to someone.{}@example.org.", "{} Call +1 555-010-{:04d}.", "{}  \t",
        "<a href=\"http://example.org/{1}\">{0}</a>", "{}\u200b"]


def read(path):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8", errors="replace") as file:
        return file.read()


def sentences(words, rng):
    follow = collections.defaultdict(list)
    for pair, third in zip(zip(words, words[1:]), words[2:]):
        follow[pair].append(third)
    starts = [pair for pair in follow if pair[0][:1].isupper()]
    for _ in range(POOL):
        pair = rng.choice(starts)
        sentence = list(pair)
        while len(sentence) < 40 and pair in follow and sentence[-1][-1] not in ".!?":
            pair = (pair[1], rng.choice(follow[pair]))
            sentence.append(pair[1])
        yield " ".join(sentence).rstrip(",;:") + ("" if sentence[-1][-1] in ".!?" else ".")


def paragraph(pool, rng):
    first = int(rng.random() * POOL)
    return " ".join(pool[first:first + 1 + first % 6])


def document(pool, rng):
    paragraphs = [paragraph(pool, rng) for _ in range(max(1, min(200, int(rng.lognormvariate(1.4, 0.9)))))]
    if rng.random() < 0.2:
        i = rng.randrange(len(paragraphs))
        paragraphs[i] = rng.choice(DIRT).format(paragraphs[i], rng.randrange(10_000))
    return "\n".join(paragraphs)


def main():
    size = int(sys.argv[1]) * 1_000_000
    rng = random.Random(1)
    pool = list(sentences([word for path in sys.argv[2:] for word in read(path).split()], rng))
    recent, written, number = [], 0, 0
    out = sys.stdout.buffer
    while written < size:
        kind = rng.random()
        if kind < 0.1 and len(recent) > 1000:
            text = rng.choice(recent)
            if kind < 0.05:
                words = text.split(" ")
                words[rng.randrange(len(words))] = "otherwise"
                text = " ".join(words)
        else:
            text = document(pool, rng)
            if len(recent) < 20_000:
                recent.append(text)
            else:
                recent[rng.randrange(len(recent))] = text
        line = json.dumps({"id": number, "text": text}, ensure_ascii=False).encode() + b"\n"
        out.write(line)
        written += len(line)
        number += 1


main()
