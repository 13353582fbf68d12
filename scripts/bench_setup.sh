#!/bin/sh
# Makes .venv-bench: what .venv has, and the programs that we are measured beside. Needs .venv (`make setup`) and a C++
# compiler, as one of the peers is built from its source.
set -eu
cd "$(dirname "$0")/.."

export VIRTUAL_ENV="$PWD/.venv-bench" UV_LINK_MODE=copy
if ! .venv-bench/bin/python -c 'import sys' 2>/dev/null; then
    rm -rf .venv-bench
    .venv/bin/uv venv --quiet --python .venv/bin/python .venv-bench
fi
.venv/bin/uv pip install --quiet --require-hashes -r requirements/bench.lock
.venv/bin/uv pip install --quiet --no-deps --no-build-isolation -e .
if ! PATH="$PWD/.venv-bench/bin:$PATH" .venv/bin/uv pip install --quiet --no-deps --no-build-isolation --reinstall ./kernel \
    >.venv-bench/kernel.log 2>&1; then
    echo "The native kernel could not be built; NumPy is measured instead (.venv-bench/kernel.log says why)."
fi
touch .venv-bench/.ready
