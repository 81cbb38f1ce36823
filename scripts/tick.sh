#!/bin/sh
# What a runner does at each tick: do what is due, show it, and say whether somebody has to look.
#
#   DRY_RUN=true scripts/tick.sh      only shows what is due
set -eu

if [ "${DRY_RUN:-}" = true ]; then
    exec ./nl tick --dry-run
fi
status=0
./nl tick --for 25m --json >"$RUNNER_TEMP/tick.json" || status=$?
if ! [ -s "$RUNNER_TEMP/tick.json" ]; then
    exit "$status" # it could not even begin; what it said is above
fi
python3 - "$RUNNER_TEMP/tick.json" >>"$GITHUB_OUTPUT" <<'PYTHON'
import json
import secrets
import sys

did = json.load(open(sys.argv[1], encoding="utf-8"))
lines = [f"{sum(did[name].values()):,} people {words}" for name, words in
         (("held", "held for being late: newsletter status"),
          ("in_doubt", "in doubt: newsletter resolve")) if did[name]]
lines += did["problems"]
end = secrets.token_hex(8)  # no problem can end the text before its end
print(f"attention={'yes' if lines else 'no'}")
print(f"said<<{end}", *(f"- {line}" for line in lines), end, sep="\n")
PYTHON
cat "$RUNNER_TEMP/tick.json"
# A letter that is not approved, a provider that is busy, deliveries in doubt: reported, and no reason for a red cross
# in everybody's mail every half hour. All else is.
case $status in
0 | 3 | 4 | 5) ;;
*) exit "$status" ;;
esac
