#!/usr/bin/env bash
# Looks at the machine code of the CUDA backend: that the kernels got the instructions they were written for, and that no
# kernel keeps registers or arrays in local memory.
#
#   check_sass.sh CUOBJDUMP LIBRARY
set -euo pipefail
cuobjdump=$1 library=$2

# Architecture, source file, and what its code must have: tensor cores (HMMA, HGMMA), ldmatrix (LDSM), asynchronous copies
# (LDGSTS, TMA's UTMALDG), registers moved between warps (USETMAXREG), mbarriers (SYNCS).
wanted='
sm_80  matmul_mma.cu               HMMA LDSM LDGSTS
sm_90  matmul_mma.cu               HMMA LDSM LDGSTS
sm_80  attention/mma_forward.cu    HMMA LDSM LDGSTS
sm_90  attention/mma_forward.cu    HMMA LDSM LDGSTS
sm_80  attention/mma_backward.cu   HMMA LDSM LDGSTS
sm_90  attention/mma_backward.cu   HMMA LDSM LDGSTS
sm_90a attention/wgmma_forward.cu  HGMMA UTMALDG USETMAXREG SYNCS
sm_90a attention/wgmma_backward.cu HGMMA UTMALDG USETMAXREG SYNCS
'

"$cuobjdump" --dump-sass "$library" | awk -v wanted="$wanted" '
    /^arch = /       { arch = $3 }
    /^identifier = / { file = $3; sub(".*/native/cuda/", "", file) }
    # "        /*0b10*/  @P0 HMMA.16816.F32.BF16 R4, ... ;"
    /^ +\/\*[0-9a-f]+\*\/ / {
        opcode = $2 ~ /^@/ ? $3 : $2
        sub(/[.;].*/, "", opcode)
        count[arch " " file " " opcode]++
    }
    END {
        lines = split(wanted, line, "\n")
        for (i = 1; i <= lines; i++) {
            fields = split(line[i], word, " ")
            for (w = 3; w <= fields; w++) {
                n = count[word[1] " " word[2] " " word[w]]
                printf "%-7s %-28s %-10s %6d\n", word[1], word[2], word[w], n
                if (!n) missing = 1
            }
        }
        if (missing) print "error: an instruction is missing"
        exit missing
    }'

"$cuobjdump" --dump-resource-usage "$library" | awk '
    /^arch = /     { arch = $3 }
    / Function /   { name = $2; functions++ }
    / STACK:[1-9]/ { print "error: " arch " " name " uses local memory: " $0; bad = 1 }
    END            { print functions " functions without local memory" (bad ? ", but for those above" : ""); exit bad || !functions }'
