#!/usr/bin/env bash
# Resolves every lock file anew, with hashes (make lock). A version that a lock file has
# already is kept where it still fits; remove the file to take the newest of everything.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$(realpath .venv/bin/uv)
settings=$(mktemp -d)
trap 'rm -r "$settings"' EXIT

# compile FIRST_PYTHON BEYOND INPUT [OPTIONS]: one file for all Pythons from FIRST_PYTHON
# to before BEYOND. uv takes the machines to resolve for from a pyproject.toml only.
compile() {
    local first=$1 beyond=$2 input=$3
    cat > "$settings/pyproject.toml" <<- END
		[tool.uv]
		environments = ["sys_platform == 'linux' and platform_machine == 'x86_64' and python_version < '$beyond'"]
	END
    local lock=requirements/${output:-$input}.txt
    "$uv" pip compile --quiet --project "$settings" --universal --python-version "$first" \
        --generate-hashes --no-header --no-annotate --excludes requirements/left-out.txt --overrides requirements/overrides.txt \
        "${@:4}" "requirements/$input.in" --output-file "$lock"
    # Said once, by requirements/choose.py, and not of each package.
    sed -i -E -e "s/ and (platform_machine|sys_platform) == '(x86_64|linux)'//g" \
        -e "s/(( and )|( ; ))python_full_version < '$beyond'( and )?/\3/" \
        -e "s/ ; +\\\\$/ \\\\/" "$lock"
}

compile 3.10 3.14 uv
compile 3.10 3.14 audit
compile 3.10 3.14 docs
compile 3.10 3.12 tfx-1.16
compile 3.12 3.14 tfx-1.21
# What the tests need fits what production has.
output=tfx-1.16-test compile 3.10 3.12 test --constraints requirements/tfx-1.16.txt
output=tfx-1.21-test compile 3.12 3.14 test --constraints requirements/tfx-1.21.txt
