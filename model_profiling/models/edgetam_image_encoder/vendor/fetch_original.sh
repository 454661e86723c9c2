#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Clone the original EdgeTAM at the commit that this example was compared with, its license included.
#
#   bash fetch_original.sh [DIR]      DIR: where to (default: EdgeTAM beside this script)
#
# Only the license and the Python package are checked out: the repository's videos are 100 times their size.
# EDGETAM_COMMIT names another commit.
set -euo pipefail

ADDRESS=https://github.com/facebookresearch/EdgeTAM.git
COMMIT=${EDGETAM_COMMIT:-9cc44bfe9e16cc374242917b91283c718410ea87}
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() { # what, where, how to fix
  printf 'error: %s, %s: %s\n' "$1" "$2" "$3" >&2
  exit 2
}

case ${1:-} in
  -h | --help)
    sed -n '4,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 0
    ;;
  -*) fail "there is no option $1" "on the command line" "give a folder, or nothing" ;;
esac
TARGET=${1:-$HERE/EdgeTAM}
command -v git >/dev/null || fail "git is missing" "on PATH" "install git"

if [ -e "$TARGET" ]; then
  if [ "$(git -C "$TARGET" rev-parse HEAD 2>/dev/null || true)" != "$COMMIT" ] || [ ! -f "$TARGET/LICENSE" ]; then
    fail "something else is there" "at $TARGET" "remove it, or name another folder"
  fi
  echo "The original is there already: $TARGET"
  exit 0
fi

# Made beside the target and renamed at the end: an interrupted clone leaves nothing that looks whole.
mkdir -p "$(dirname "$TARGET")" || fail "cannot make the folder" "at $(dirname "$TARGET")" "correct its permissions"
WORK=$(mktemp -d "$(dirname "$TARGET")/.fetch.XXXXXX") || fail "cannot write" "to $(dirname "$TARGET")" "correct its permissions"
trap 'rm -rf "$WORK"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

git -C "$WORK" init -q
git -C "$WORK" remote add origin "$ADDRESS"
git -C "$WORK" sparse-checkout set --no-cone /LICENSE /sam2/
git -C "$WORK" fetch -q --depth 1 --filter=blob:none origin "$COMMIT" ||
  fail "commit $COMMIT cannot be fetched" "from $ADDRESS" "go online, or check EDGETAM_COMMIT"
git -C "$WORK" -c advice.detachedHead=false checkout -q FETCH_HEAD ||
  fail "commit $COMMIT cannot be checked out" "from $ADDRESS" "go online and run this again"
if [ ! -f "$WORK/LICENSE" ] || [ ! -f "$WORK/sam2/modeling/backbones/image_encoder.py" ]; then
  fail "commit $COMMIT is not EdgeTAM (no LICENSE or no image encoder)" "from $ADDRESS" "check EDGETAM_COMMIT"
fi
mv "$WORK" "$TARGET"
trap - EXIT
echo "The original is in $TARGET, under its own license: $TARGET/LICENSE"
