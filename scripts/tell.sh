#!/bin/sh
# Tells the operator in an issue of the repository; once, until there is something else to say. Needs gh and GH_TOKEN.
#
#   scripts/tell.sh TITLE TEXT LINK
set -eu
title=$1
body="$2"
link=$3

export GH_REPO="$GITHUB_REPOSITORY"
number=$(gh issue list --state open --label newsletter --json number,title \
    --jq "map(select(.title == \"$title\")) | .[0].number // empty")
if [ -z "$number" ]; then
    gh label create newsletter --force --description "Told by the newsletter itself" >/dev/null
    gh issue create --title "$title" --label newsletter --body "$body

$link"
    exit
fi
last=$(gh issue view "$number" --json body,comments --jq '.comments[-1].body // .body')
case $last in
"$body"*) echo "Issue $number says so already." ;;
*) gh issue comment "$number" --body "$body

$link" ;;
esac
