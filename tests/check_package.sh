#!/usr/bin/env bash
# Builds sdist and wheel, installs the wheel into an empty environment with the packages
# of .venv, and runs the command and the fast tests there, outside the repository.
#
#     make package
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
uv=$root/.venv/bin/uv
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# A copy, as setuptools would leave its build folder in the repository.
mkdir "$folder/source"
git ls-files -z --cached --others --exclude-standard |
    xargs -0 tar --create --ignore-failed-read --file - 2>/dev/null |
    tar --extract --file - --directory "$folder/source"
(cd "$folder/source" && "$root/.venv/bin/python" - <<'BUILD'
from setuptools import build_meta

build_meta.build_sdist("dist")
build_meta.build_wheel("dist")
BUILD
) >"$folder/build.log" 2>&1 || { cat "$folder/build.log"; exit 1; }
mkdir -p build/package
cp "$folder"/source/dist/* build/package
ls -l build/package

"$uv" pip freeze --quiet --python .venv/bin/python --exclude-editable >"$folder/lock.txt"
"$uv" venv --quiet --python .venv/bin/python "$folder/env"
"$uv" pip install --quiet --no-deps --python "$folder/env/bin/python" \
    -r "$folder/lock.txt" "$folder"/source/dist/*.whl

# What tests read, but none of the three packages.
(cd "$folder/source" && rm -rf pipeline components models dist build ./*.egg-info)
cd "$folder/source"
env -u PYTHONPATH "$folder/env/bin/crossctr" --help >/dev/null
env -u PYTHONPATH "$folder/env/bin/python" -c '
import components, models, pipeline
for package in (components, models, pipeline):
    assert "site-packages" in package.__file__, package.__file__
print("imported from the wheel:", pipeline.__file__)
'
env -u PYTHONPATH "$folder/env/bin/python" -m pytest "$@" -m "not slow and not checkout"
