#!/bin/sh
# What a runner does at each tick: do what is due, show it, and say whether somebody has to look.
#
#   DRY_RUN=true scripts/tick.sh      only shows what is due
set -eu

if [ "${DRY_RUN:-}" = true ]; then
    exec ./nl tick --dry-run
fi
if [ -z "${NEWSLETTER_DATABASE_URL:-}" ] && ! grep -Eq "^ *database *= *[\"']git\+age[\"']" newsletter.toml; then
    # A file on a runner is gone with it: the next tick would know nothing of what this one sent.
    echo "tick: there is no lasting database; set the secret NEWSLETTER_DATABASE_URL, or database = \"git+age\"" >&2
    exit 2
fi
status=0
./nl tick --for 25m --json >"$RUNNER_TEMP/tick.json" &
# A cancelled run is signalled here only, and killed ten seconds later: pass it on, so that no batch is left in doubt.
# TERM also for INT, which a process in the background does not hear.
trap 'kill -s TERM $! 2>/dev/null' INT TERM
wait $! || status=$?
while kill -s 0 $! 2>/dev/null; do # that was our own signal; now wait for its end
    status=0
    wait $! || status=$?
done
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
