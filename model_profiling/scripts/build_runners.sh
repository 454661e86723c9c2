#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Build the runners that execute models; without flags the native one for this host.
# All it does is find a Python that has the kit: see --help, and pipeline/runners/build_command.py.
set -euo pipefail

readonly module=model_profiling.pipeline.runners.build_command

script_dir=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
checkout=$(cd -- "$script_dir/../.." && pwd -P)
if [[ ! -f $checkout/model_profiling/__init__.py ]]; then
    checkout= # this script was downloaded alone
fi

pythons=("${VIRTUAL_ENV:+$VIRTUAL_ENV/bin/python}" "$PWD/.venv/bin/python")
if [[ -n $checkout ]]; then
    pythons=("$checkout/.venv/bin/python" "${pythons[@]}")
    export PYTHONPATH=$checkout${PYTHONPATH:+:$PYTHONPATH}
fi

for python in "${pythons[@]}"; do
    if [[ -x $python ]] && "$python" -c "import $module" 2>/dev/null; then
        exec "$python" -m "$module" "$@"
    fi
done

echo "error: no Python with the kit, in ${checkout:-$PWD}/.venv or an active environment:" \
    "run setup_repo.sh first" >&2
exit 2
