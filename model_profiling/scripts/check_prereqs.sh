#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Look at what the kit needs from this machine, one line each: ok, optional or missing, with
# the fix. The checks live in setup_repo.sh, which must work as the only file downloaded.
set -euo pipefail

if [ $# -gt 0 ]; then
  if [ "$1" = --help ] || [ "$1" = -h ]; then
    echo "usage: check_prereqs.sh    (no flags; exit 0 when everything needed is there, else 2)"
    exit 0
  fi
  echo "error: $1 is not a flag, on the command line of check_prereqs.sh: it takes none" >&2
  exit 2
fi
exec bash "$(dirname "${BASH_SOURCE[0]}")/setup_repo.sh" --check
