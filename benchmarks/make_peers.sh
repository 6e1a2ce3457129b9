#!/usr/bin/env bash
# Makes a virtual environment for each peer that benchmarks/speed.py compares with, in
# the folder given (outside the repository): FOLDER/pyod, FOLDER/dtaianomaly,
# FOLDER/merlion, and FOLDER/metrics for benchmarks/metrics.py. What goes in is pinned in
# benchmarks/peers-NAME.txt; the metrics of packages that need much more, and other
# versions, run without that.
#
# Run: bash benchmarks/make_peers.sh FOLDER
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?name a folder for the environments}
for name in pyod dtaianomaly merlion; do
    python3 -m venv "$folder/$name"
    "$folder/$name/bin/pip" install -r "$here/peers-$name.txt"
done
python3 -m venv "$folder/metrics"
"$folder/metrics/bin/pip" install --no-deps -r "$here/peers-metrics.txt"
