#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Restore the history from its branch, or keep it there: `history_branch.sh restore|keep`.
#
# The branch holds one commit without parents, so that it stays as small as the history. Who pushes between fetch and
# push wins; the other fetches again and adds its run to what came, which is the same whoever is first: an index holds
# each run once. Arguments come from the environment, as the action's steps set them.
set -euo pipefail

tries=5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GIT_TERMINAL_PROMPT=0
# By the environment: an argument could be read by others on the runner.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="http.$PROFILE_SERVER/.extraheader"
GIT_CONFIG_VALUE_0="AUTHORIZATION: basic $(printf 'x-access-token:%s' "$PROFILE_TOKEN" | base64 | tr -d '\n')"
export GIT_CONFIG_VALUE_0

git init -q "$work"
git -C "$work" remote add origin "$PROFILE_SERVER/$PROFILE_REPOSITORY"

# Bring the branch's index to where it is kept, and say which commit it is of: nothing where there is no branch.
fetch() {
  local known
  known=$(git -C "$work" ls-remote origin "refs/heads/$PROFILE_NAME") || return 1
  if [ -z "$known" ]; then return 0; fi
  git -C "$work" fetch -q --depth 1 origin "refs/heads/$PROFILE_NAME" || return 1
  git -C "$work" show FETCH_HEAD:history.sqlite >"$work/fetched" || return 1
  mkdir -p "$PROFILE_KEPT" && mv "$work/fetched" "$PROFILE_KEPT/history.sqlite" || return 1
  git -C "$work" rev-parse FETCH_HEAD
}

if [ "$1" = restore ]; then
  before=$(fetch)
  if [ -z "$before" ]; then echo "There is no branch $PROFILE_NAME yet."; fi
  exit 0
fi

for ((try = 1; try <= tries; try++)); do
  before=$(fetch)
  mkdir -p "$PROFILE_KEPT"
  "$PYTHON" "$KIT/model_profiling/scripts/history.py" --runs "$PROFILE_RUN" --index "$PROFILE_KEPT/history.sqlite" \
    --out "$work/index.html" "$work/README.md"
  cp "$PROFILE_KEPT/history.sqlite" "$work/history.sqlite"
  git -C "$work" add history.sqlite index.html README.md
  commit=$(git -C "$work" -c user.name=github-actions -c user.email=github-actions@users.noreply.github.com \
    commit-tree -m "History of runs" "$(git -C "$work" write-tree)")
  if git -C "$work" push -q --force-with-lease="$PROFILE_NAME:$before" origin "$commit:refs/heads/$PROFILE_NAME"; then
    exit 0
  fi
  echo "The branch $PROFILE_NAME changed meanwhile; once more."
  sleep "$try"
done
echo "::error::the branch $PROFILE_NAME cannot be written: the job needs the permission contents: write"
exit 1
