#!/bin/sh
# Looks when the workflow `send` last came to its end, keeps it switched on, and tells the operator if that is too long
# ago. Needs gh and GH_TOKEN.
#
#   scripts/heartbeat.sh HOURS LINK
set -eu
hours=$1
link=$2
workflow="repos/$GITHUB_REPOSITORY/actions/workflows/send.yml"

gh api --silent --method PUT "$workflow/enable"
last=$(gh api "$workflow/runs?status=success&per_page=1" --jq '.workflow_runs[0].run_started_at // empty')
if [ -n "$last" ] && python3 - "$last" "$hours" <<'PYTHON'; then
import sys
from datetime import datetime, timedelta, timezone

last = datetime.fromisoformat(sys.argv[1].replace("Z", "+00:00"))
sys.exit(datetime.now(timezone.utc) - last > timedelta(hours=float(sys.argv[2])))
PYTHON
    echo "The last tick was at $last."
else
    "$(dirname -- "$0")/tell.sh" "The newsletter's ticks have stopped" \
        "No run of the workflow send came to a good end in $hours hours. It was switched on again just now; look at its last runs." \
        "$link"
fi
