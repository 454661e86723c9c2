#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Make what the tests need, then run them, from any folder. Arguments go to pytest.
set -euo pipefail

# With --fast only unit and property tests run: those that support/needs.py finds nothing to say of.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
bash "$root/model_profiling/scripts/setup_repo.sh" --with-tests

tests=("$root/test-cases")
for argument in "$@"; do
  if [ -e "${argument%%::*}" ]; then tests=(); fi # a file or folder of tests was named
done
# Processes share the cores: a thread of PyTorch's that waits for work sleeps, instead of taking a core from another.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
# A file's tests share what they made, so they stay in one process; give --numprocesses 0 for a single one.
# conftest.py puts the files that take minutes first: none of them is then what one process does alone at the end.
exec "$root/.venv/bin/python" -m pytest -c "$root/pyproject.toml" --rootdir "$root" --numprocesses auto --dist loadfile --no-loadscope-reorder "$@" ${tests[@]+"${tests[@]}"}
