#!/usr/bin/env python3
"""Makes pairs of texts to train on out of the descriptions of Debian's or Ubuntu's packages.

    scripts/debian-pairs.py FOLDER [--language de]

writes, as JSON Lines with the fields source, target and package,

    FOLDER/en-de/{train,validation,test}.jsonl        a synopsis, paragraph or list item, and its translation
    FOLDER/synopses/{train,validation,test}.jsonl     a package's long description, and its synopsis

The indexes are fetched by apt from the servers that this machine knows, into FOLDER/apt: without root, and without a change to what apt
itself has. What is there is taken without asking the servers again; delete FOLDER/apt for news.

A description and its translation are matched by package and Description-md5, that is for the very text that was translated. Paragraphs are
taken where both have equally many, list items where both paragraphs have equally many. Texts that were not translated, or not wholly, are
left out, and so is what repeats but for numbers and the package's name. All packages of one source package are in the same part, which the
hash of its name decides: 4 % are for validation and 4 % for the test.
"""
import argparse
import glob
import hashlib
import json
import os
import re
import subprocess
import sys

PARTS = ("train", "validation", "test")
SHARE = 0.04
SHORTEST_DESCRIPTION = 100
ITEM = re.compile(r"\s*[-*+o•–]\s+")
WORD = re.compile(r"\w+")
LEFT_OUT = re.compile(r"transitional|dummy package|empty package", re.IGNORECASE)


def fetch(folder, language):
    """Has apt fetch the indexes, unless they are there. Gives the folder that they are in."""
    lists = os.path.join(folder, "lists")
    if glob.glob(os.path.join(lists, f"*_Translation-{language}")):
        return lists
    os.makedirs(os.path.join(lists, "partial"), exist_ok=True)
    options = {
        "Dir::State::Lists": lists,
        "Dir::Cache": os.path.join(folder, "cache"),
        "Acquire::Languages": f"en,{language}",
        "Acquire::GzipIndexes": "false",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
        "APT::Sandbox::User": "",
    }
    command = ["apt-get", "update", *(f"-o{key}={value}" for key, value in options.items())]
    print("fetching the indexes:", " ".join(command), file=sys.stderr)
    try:
        subprocess.run(command, check=True, stdout=sys.stderr)
    except FileNotFoundError:
        sys.exit("error: there is no apt-get: this works on Debian, Ubuntu and what is made of them")
    except subprocess.CalledProcessError as e:
        sys.exit(f"error: apt-get update ended with {e.returncode}; what it wrote above says why")
    if not glob.glob(os.path.join(lists, f"*_Translation-{language}")):
        sys.exit(f"error: this machine's package servers have no descriptions in \"{language}\"")
    return lists


def stanzas(paths):
    """The records of index files: field -> value, lines of a value separated by newlines."""
    for path in paths:
        with open(path, encoding="utf-8") as file:
            record, key = {}, None
            for line in file:
                line = line.rstrip("\n")
                if not line:
                    if record:
                        yield record
                    record, key = {}, None
                elif line[0] == " " and key:
                    record[key] += "\n" + line[1:]
                else:
                    key, _, value = line.partition(":")
                    record[key] = value.strip()
            if record:
                yield record


def descriptions(lists, language):
    """(package, md5) -> (synopsis, long description)."""
    found = {}
    for record in stanzas(sorted(glob.glob(os.path.join(lists, f"*_Translation-{language}")))):
        text = record.get(f"Description-{language}")
        if text is not None and "Package" in record:
            synopsis, _, long = text.partition("\n")
            found[record["Package"], record.get("Description-md5")] = (synopsis.strip(), long)
    return found


def paragraphs(long):
    """A long description's paragraphs, each a list of texts: what it begins with, and its list items."""
    result, texts, in_item = [], [], False
    for line in long.split("\n") + ["."]:
        if line.strip() == ".":
            if texts:
                result.append(texts)
            texts, in_item = [], False
        elif ITEM.match(line):
            texts.append(ITEM.sub("", line, count=1).strip())
            in_item = True
        elif texts and (in_item or not line.startswith(" ")):
            texts[-1] += " " + line.strip()
        else:
            texts.append(line.strip())
    return result


def aligned(english, other):
    """Pairs of texts of two descriptions."""
    yield english[0], other[0]
    ours, theirs = paragraphs(english[1]), paragraphs(other[1])
    if len(ours) != len(theirs):
        return
    for a, b in zip(ours, theirs):
        if len(a) == len(b):
            yield from zip(a, b)


def is_translation(source, target):
    """Whether it may be one: two different texts with letters, neither much longer than the other, nothing left to translate."""
    return (source != target and "<trans" not in target and re.search("[^\\W\\d_]{2}", source) and re.search("[^\\W\\d_]{2}", target)
            and 1 / 3 < (len(source) + 10) / (len(target) + 10) < 3)


def essence(text, names):
    """What is left of a text without case, numbers, punctuation and the package's names: equal where two say the same."""
    words = (re.sub(r"\d+", "0", word) for word in WORD.findall(text.lower()))
    return " ".join("_" if any(word in name for name in names) and len(word) > 2 else word for word in words)


def part_of(name):
    """The part that a source package's texts are in."""
    fraction = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64
    return "test" if fraction < SHARE else "validation" if fraction < 2 * SHARE else "train"


def write(folder, pairs):
    """Writes the parts; says how much is in them."""
    os.makedirs(folder, exist_ok=True)
    for part in PARTS:
        path = os.path.join(folder, part + ".jsonl")
        rows = [pair for pair in pairs if pair["part"] == part]
        with open(path + ".partial", "w", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps({key: row[key] for key in ("source", "target", "package")}, ensure_ascii=False) + "\n")
        os.replace(path + ".partial", path)
        words = [sum(len(row[key].split()) for row in rows) for key in ("source", "target")]
        print(f"{path}: {len(rows):,} pairs, {words[0]:,} and {words[1]:,} words")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="where the pairs go")
    parser.add_argument("--language", default="de", help="code of the language of the translations, such as de, fr or zh_CN")
    options = parser.parse_args()
    lists = fetch(os.path.join(os.path.abspath(options.folder), "apt"), options.language)

    sources = {}
    for record in stanzas(sorted(glob.glob(os.path.join(lists, "*_Packages")))):
        sources[record["Package"]] = record.get("Source", record["Package"]).split(" ")[0]
    english = descriptions(lists, "en")
    others = descriptions(lists, options.language)

    translations, summaries, seen = [], [], set()
    # In the order of a hash, so that which of two equal texts stays has nothing to do with the alphabet.
    for package, md5 in sorted(english, key=lambda key: hashlib.sha256(repr(key).encode()).digest()):
        source = sources.get(package, package)
        part, names = part_of(source), (package.lower(), source.lower())
        synopsis, long = english[package, md5]

        def add(pairs, kind, read, written):
            key = (kind, essence(read, names))
            if key not in seen:
                seen.add(key)
                pairs.append({"source": read, "target": written, "package": package, "part": part})

        for read, written in aligned((synopsis, long), others[package, md5]) if (package, md5) in others else ():
            if is_translation(read, written):
                add(translations, "translation", read, written)
        text = " ".join(" ".join(texts) for texts in paragraphs(long))
        if len(text) >= SHORTEST_DESCRIPTION and synopsis and not LEFT_OUT.search(synopsis + " " + text):
            add(summaries, "summary", text, synopsis)

    print(f"{len(english):,} descriptions, {len(others):,} translated")
    write(os.path.join(options.folder, f"en-{options.language}"), translations)
    write(os.path.join(options.folder, "synopses"), summaries)


if __name__ == "__main__":
    main()
