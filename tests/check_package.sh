#!/usr/bin/env bash
# Builds the sdist, and the wheel from the unpacked sdist. Installs the wheel into an empty
# environment with the packages of .venv, and runs `crossctr --help` and the fast tests
# there, in a folder outside the repository.
#
#     make package                       # arguments are passed on to pytest
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
build() { # KIND OUTPUT, in the folder of the sources
    "$root/.venv/bin/python" -c "
from setuptools import build_meta

build_meta.build_$1('$2')" >"$folder/build.log" 2>&1 || { cat "$folder/build.log"; exit 1; }
}
mkdir "$folder/dist" "$folder/unpacked"
(cd "$folder/source" && build sdist "$folder/dist")
# From the sdist, so that it is shown to be complete.
tar --extract --file "$folder"/dist/*.tar.gz --directory "$folder/unpacked" --strip-components 1
(cd "$folder/unpacked" && build wheel "$folder/dist")
rm -rf build/package
mkdir -p build/package
cp "$folder"/dist/* build/package
ls -l build/package
"$root/.venv/bin/python" tests/package_contents.py "$folder/source" "$folder"/dist/*

"$uv" pip freeze --quiet --python .venv/bin/python --exclude-editable >"$folder/lock.txt"
"$uv" venv --quiet --python .venv/bin/python "$folder/env"
"$uv" pip install --quiet --no-deps --python "$folder/env/bin/python" \
    -r "$folder/lock.txt" "$folder"/dist/*.whl

# The tests and the files they read, without the three packages.
(cd "$folder/source" && rm -rf pipeline components models build ./*.egg-info)
cd "$folder/source"
env -u PYTHONPATH "$folder/env/bin/crossctr" --help >/dev/null
env -u PYTHONPATH "$folder/env/bin/python" -c '
import components, models, pipeline
for package in (components, models, pipeline):
    assert "site-packages" in package.__file__, package.__file__
print("imported from the wheel:", pipeline.__file__)
'
env -u PYTHONPATH "$folder/env/bin/python" -m pytest "$@" -m "not slow and not checkout"
