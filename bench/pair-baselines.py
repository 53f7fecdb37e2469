#!/usr/bin/env python3
"""What a model of pairs of texts has to beat: texts written without any model.

    bench/pair-baselines.py TRAIN.jsonl TEST.jsonl FOLDER

writes a line for each pair of the test:

    FOLDER/copy.txt          the source as it is
    FOLDER/lead-1.txt        its first sentence
    FOLDER/dictionary.txt    each word in place of the source's: the one that IBM model 1 (Brown et al. 1993) finds likeliest, after five
                             rounds on the training pairs; words that are not in them stay as they are

    ingot evaluate --metric bleu chrf --hypotheses FOLDER/dictionary.txt --references TEST.jsonl --referenceField target
"""
import collections
import json
import os
import re
import sys

WORDS = re.compile(r"\w+")
SENTENCE = re.compile(r"(.*?[.!?])\s")
ROUNDS = 5
LONGEST = 40  # Words of a pair: longer ones say little about single words.


def read(path):
    with open(path, encoding="utf-8") as file:
        return [(pair["source"], pair["target"]) for pair in map(json.loads, file)]


def lexicon(pairs):
    """source word -> target word, by IBM model 1: t(target | source) with a null word, from uniform on."""
    sentences = [([""] + WORDS.findall(source), WORDS.findall(target)) for source, target in pairs]
    sentences = [(source, target) for source, target in sentences if len(source) <= LONGEST + 1 and len(target) <= LONGEST]
    table = collections.defaultdict(lambda: 1.0)
    for _ in range(ROUNDS):
        counts, totals = collections.defaultdict(float), collections.defaultdict(float)
        for source, target in sentences:
            for word in target:
                weights = [table[other, word] for other in source]
                all_of_them = sum(weights)
                for other, weight in zip(source, weights):
                    share = weight / all_of_them
                    counts[other, word] += share
                    totals[other] += share
        table = {pair: count / totals[pair[0]] for pair, count in counts.items()}
    best = {}
    for (source, target), probability in table.items():
        if source not in best or probability > best[source][0]:
            best[source] = (probability, target)
    return {source: target for source, (_, target) in best.items()}


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    training, test, folder = read(sys.argv[1]), read(sys.argv[2]), sys.argv[3]
    words = lexicon(training)
    os.makedirs(folder, exist_ok=True)
    baselines = {
        "copy": lambda source: source,
        "lead-1": lambda source: match.group(1) if (match := SENTENCE.match(source)) else source,
        "dictionary": lambda source: WORDS.sub(lambda word: words.get(word.group(), word.group()), source),
    }
    for name, write in baselines.items():
        with open(os.path.join(folder, name + ".txt"), "w", encoding="utf-8") as file:
            file.writelines(" ".join(write(source).split()) + "\n" for source, _ in test)


main()
