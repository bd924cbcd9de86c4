#!/bin/sh
# Waits until a whole version of a model is published: the Publisher renames it into
# place, so a folder with a saved_model.pb is complete.
#
#   wait_for_model.sh FOLDER [SECONDS]      default: for ever
set -eu
folder=$1
left=${2:-}
until ls "$folder"/[0-9]*/saved_model.pb > /dev/null 2>&1; do
    if [ -n "$left" ]; then
        if [ "$left" -le 0 ]; then
            echo "no model in $folder; publish one with: crossctr run CONFIG --day D" >&2
            exit 75
        fi
        left=$((left - 1))
    fi
    sleep 1
done
echo "$(ls -d "$folder"/[0-9]* | tail -n 1) is there"
