#!/bin/sh
# Runs nvcc, and fails where ptxas only remarks that it had to give up what the kernel was written for: setmaxnreg ignored
# (C7508), wgmma serialized (C7510 and others). Spilled registers are warnings, and so errors already.
log=$(mktemp) || exit 1
"$@" >"$log" 2>&1
status=$?
cat "$log" >&2
if grep -q -E '\(C75[01][0-9]\)' "$log"; then
    echo "error: ptxas gave up on an instruction (above)" >&2
    status=1
fi
rm -f "$log"
exit $status
