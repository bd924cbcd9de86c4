#!/usr/bin/env bash
# Builds the sdist, and the wheel from the unpacked sdist. Installs each with its extras
# into an environment in an empty folder, as docs/reference/lines.md describes: the lock files of
# the sdist are constraints, so every package has a tested version, and every package
# that is not declared is missing. Then calls `crossctr` there, and runs the fast tests on
# the installed wheel, in a folder outside the repository.
#
#     make package                       # arguments are passed on to pytest
#
# Leaves both archives in build/package.
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

lock=$("$root/.venv/bin/python" "$folder/unpacked/requirements/choose.py")
version=$("$root/.venv/bin/python" "$folder/unpacked/setup.py" --quiet --version)
locked() { # FOLDER ARCHIVE_WITH_EXTRAS
    mkdir "$1" && cd "$1"
    "$uv" venv --quiet --python "$root/.venv/bin/python" env
    "$uv" pip install --quiet --python env/bin/python \
        --constraints "$folder/unpacked/$lock" \
        --constraints "$folder/unpacked/${lock%.txt}-test.txt" \
        --build-constraints "$folder/unpacked/$lock" \
        --overrides "$folder/unpacked/requirements/overrides.txt" \
        --excludes "$folder/unpacked/requirements/left-out.txt" "$2"
    env -u PYTHONPATH env/bin/crossctr --help >/dev/null
    env -u PYTHONPATH env/bin/python -c '
import sys
from importlib import metadata

import components, models, pipeline

for package in (components, models, pipeline):
    assert "site-packages" in package.__file__, package.__file__
assert metadata.version("crossctr") == sys.argv[1], metadata.version("crossctr")
print(f"crossctr {sys.argv[1]} is installed from {sys.argv[2]}: {pipeline.__file__}")
' "$version" "${2##*/}"
    # What was installed beyond the lock files would be in no tested combination.
    "$uv" pip freeze --quiet --python env/bin/python | grep -v "^crossctr " |
        while read -r package; do
            grep -q "^$package " "$folder/unpacked/$lock" "$folder/unpacked/${lock%.txt}-test.txt" ||
                { echo "$package is not in the lock files"; exit 1; }
        done
    cd "$root"
}
locked "$folder/from-sdist" "$(echo "$folder"/dist/*.tar.gz)[serve,tune]"
locked "$folder/from-wheel" "$(echo "$folder"/dist/*.whl)[serve,tune,test]"

# The tests and the files they read, without the three packages.
(cd "$folder/source" && rm -rf pipeline components models build ./*.egg-info)
cd "$folder/source"
env -u PYTHONPATH "$folder/from-wheel/env/bin/python" -m pytest "$@" -m "not slow and not checkout"
