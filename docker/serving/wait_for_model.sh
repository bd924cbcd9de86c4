#!/bin/sh
# Waits until a version of a model is published and models.config names the model. Both
# are renamed into place, so they are never seen partly written.
#
#   wait_for_model.sh DIRECTORY NAME [SECONDS]      default: no limit
set -eu
directory=$1
name=$2
left=${3:-}
until ls "$directory/$name"/[0-9]*/saved_model.pb > /dev/null 2>&1 \
    && grep -q "\"$name\"" "$directory/models.config" 2> /dev/null; do
    if [ -n "$left" ]; then
        if [ "$left" -le 0 ]; then
            echo "no model in $directory/$name; publish one with: crossctr run CONFIG --day D" >&2
            exit 75
        fi
        left=$((left - 1))
    fi
    sleep 1
done
echo "$(ls -d "$directory/$name"/[0-9]* | tail -n 1) is there"
