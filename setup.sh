#!/bin/sh
# Set up .venv with everything that the demo, the tests and the tools need, at the versions of requirements.txt.
# PYTHON names the interpreter, VENV another folder.
set -eu
cd "$(dirname "$0")"
venv=${VENV:-.venv}
needed="Python 3.11 to 3.14 with the modules venv and ensurepip"

say() { echo "set-up: $1"; }
fail() { echo "set-up: $1" >&2; exit 1; }
install() { "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; }
ask() { "$1" -c "import platform, sys; $2" 2>/dev/null; }
# What they print is compared: a command that is no Python may end well, too.
fits() { [ "$(ask "$1" 'import ensurepip, venv; print((3, 11) <= sys.version_info < (3, 15))')" = True ]; }
identify() { ask "$1" 'print(sys.version, sys.base_prefix)'; }
describe() {
    found=$(ask "$1" 'print("is Python " + platform.python_version())') || found="does not run"
    case $found in "is Python "* | "does not run") echo "$found" ;; *) echo "is no Python" ;; esac
}

# A named interpreter is taken or refused. Otherwise the one that `python3` starts comes first, then the newest.
find_python() {
    if [ -n "${PYTHON:-}" ]; then
        fits "$PYTHON" || fail "PYTHON=$PYTHON $(describe "$PYTHON"); fadm needs $needed"
        echo "$PYTHON"
        return
    fi
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if fits "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "fadm needs $needed; install one, or name it: make PYTHON=/path/to/python"
}

python=$(find_python)
if ! fits "$venv/bin/python" || ! ask "$venv/bin/python" 'import pip' ||
    { [ -n "${PYTHON:-}" ] && [ "$(identify "$python")" != "$(identify "$venv/bin/python")" ]; }; then
    say "making $venv: $python $(describe "$python")"
    rm -rf "$venv"
    "$python" -m venv "$venv"
elif [ -n "$(find "$venv/ready" -newer pyproject.toml -newer requirements.txt -newer setup.sh 2>/dev/null)" ]; then
    exit
fi

# The CPU build of torch is 200 MB, the one for CUDA several GB: take the latter only where there is a GPU.
torch=$(sed -n 's/^torch==//p' requirements.txt)
cpu_wheels=https://download.pytorch.org/whl/cpu
if "$venv/bin/python" -c "import torch, sys; sys.exit(torch.__version__.split('+')[0] != '$torch')" 2>/dev/null; then
    :
elif nvidia-smi >/dev/null 2>&1; then
    say "installing torch $torch for CUDA"
    install "torch==$torch"
else
    say "installing torch $torch for the CPU"
    install "torch==$torch+cpu" 2>/dev/null ||
        install "torch==$torch+cpu" --extra-index-url "$cpu_wheels" --retries 1 --timeout 20 2>/dev/null ||
        install "torch==$torch"
fi

say "installing fadm with its demo and development tools"
install --constraint requirements.txt --editable '.[dev]'
touch "$venv/ready"
say "done"
