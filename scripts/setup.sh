#!/bin/sh
# Makes .venv and installs the locked packages into it. Needs Python 3.11 or newer; on Debian and Ubuntu it installs
# python3-venv where that is missing and it may.
set -eu
cd "$(dirname "$0")/.."

UV=0.13.9

is_new_enough() {
    command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    for name in ${PYTHON3:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if is_new_enough "$name"; then
            command -v "$name"
            return
        fi
    done
    echo "jikimi needs Python 3.11 or newer; set PYTHON3 to where it is." >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        echo "Python's venv module is missing: install the package python3-venv, then call this again." >&2
        exit 1
    fi
}

python=$(find_python)
if ! .venv/bin/python -c 'import pip' 2>/dev/null; then
    rm -rf .venv
    if ! "$python" -m venv .venv 2>/dev/null; then
        rm -rf .venv
        as_root apt-get update -qq
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv
        "$python" -m venv .venv
    fi
fi

# Compiled once here, a command starts in half the time, also where Python may not keep what it compiles.
export VIRTUAL_ENV="$PWD/.venv" UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
if [ "$(.venv/bin/uv --version 2>/dev/null | cut -d' ' -f2)" != "$UV" ]; then
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$UV"
fi
.venv/bin/uv pip install --quiet --require-hashes -r requirements/dev.lock
.venv/bin/uv pip install --quiet --no-deps --no-build-isolation -e .
.venv/bin/python -m compileall -q jikimi

# The native kernel makes search and PDQ many times faster. Without a C++ compiler everything works on NumPy.
has_headers() {
    .venv/bin/python -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))'
}
if ! has_headers && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-dev libjpeg-dev; } \
        >/dev/null 2>&1 || true
fi
if PATH="$PWD/.venv/bin:$PATH" .venv/bin/uv pip install --quiet --no-deps --no-build-isolation --reinstall ./kernel \
    >.venv/kernel.log 2>&1; then
    echo "The native kernel is built."
else
    echo "The native kernel could not be built (it needs a C++20 compiler and Python's headers; .venv/kernel.log says more)."
    echo "jikimi runs on NumPy instead, which is slower; jikimi doctor says so."
fi

# The desk's tests drive a real browser. Without one they are skipped, and say so.
if ! command -v chromium >/dev/null 2>&1 && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        chromium fonts-noto-cjk; } >/dev/null 2>&1 || true
fi
command -v chromium >/dev/null 2>&1 || echo "There is no Chromium: the tests of the desk's pages will be skipped."
touch .venv/.ready
