#!/bin/sh
# Set up .venv with everything that the demo, the tests and the tools need, at the versions of requirements.txt.
set -eu
cd "$(dirname "$0")"

find_python() {
    for candidate in "${PYTHON:-}" python3.12 python3.11 python3 python; do
        if [ -n "$candidate" ] && "$candidate" -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "fadm needs Python 3.11 or 3.12 with the venv module; install one, or name it: make PYTHON=/path/to/python" >&2
    exit 1
}

say() { echo "set-up: $1"; }
install() { .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@"; }

python=$(find_python)
if ! .venv/bin/python -c 'import sys, pip; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null; then
    say "making .venv with $($python --version)"
    rm -rf .venv
    "$python" -m venv .venv
fi

# The CPU build of torch is 200 MB, the one for CUDA several GB: take the latter only where there is a GPU.
torch=$(sed -n 's/^torch==//p' requirements.txt)
cpu_wheels=https://download.pytorch.org/whl/cpu
if .venv/bin/python -c "import torch, sys; sys.exit(torch.__version__.split('+')[0] != '$torch')" 2>/dev/null; then
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

# MediaPipe asks for an OpenCV that wants libraries of a desktop; where these are missing its headless build will do.
if ! .venv/bin/python -c 'import cv2' 2>/dev/null; then
    say "installing OpenCV's headless build"
    opencv=$(sed -n 's/^opencv-contrib-python==//p' requirements.txt)
    .venv/bin/python -m pip uninstall --quiet --yes opencv-contrib-python
    install "opencv-contrib-python-headless==$opencv"
fi
touch .venv/ready
say "done"
