#!/bin/sh
# A small model that talks in English and Chinese, from nothing: cleans the text, makes a vocabulary, pretrains for ten minutes and
# fine-tunes for two to five. docs/dialogue.md says where the data comes from and what to expect.
#   recipes/dialogue.sh SENTENCES.tsv CONVERSATIONS_ENGLISH CONVERSATIONS_CHINESE
set -eu
if [ $# -ne 3 ]; then
    echo "usage: $0 SENTENCES.tsv CONVERSATIONS_ENGLISH CONVERSATIONS_CHINESE" >&2
    exit 2
fi
here=$(dirname "$(readlink -f "$0")")
ingot=$here/../ingot
jargon=/usr/share/doc/jargon-text/jargon.txt.gz # Debian package jargon-text

if [ ! -f data/dialogue/train-00000.txt ]; then
    "$ingot" data prepare "$1" --header false --textFields column1 column2 --fieldSeparator '
' --outputFormat text --output data/dialogue
fi
if [ ! -d data/dialogue-tokenizer ]; then
    "$ingot" tokenizer train --input data/dialogue/train-00000.txt --vocabSize 6000 \
        --specialTokens '<|endoftext|>' '<|im_start|>' '<|im_end|>' --output data/dialogue-tokenizer
fi
"$ingot" train "$here/dialogue-pretrain.json" --data data/dialogue/train-00000.txt:0.75 "$jargon:0.25" \
    --tokenizer data/dialogue-tokenizer --runName dialogue-pretrain
"$ingot" train "$here/dialogue.json" --model runs/dialogue-pretrain --data "$2:0.6" "$3:0.4" --runName dialogue
echo "talk with it: ingot chat --model runs/dialogue"
