"""Small logs, and what is guessed from them."""

from __future__ import annotations

import csv
import io
import random

import pyarrow as pa

from pipeline.guessing.as_yaml import to_yaml
from pipeline.guessing.column import Column
from pipeline.guessing.domain import Named
from pipeline.guessing.domain import look_at
from pipeline.guessing.draft import choose_target
from pipeline.guessing.draft import make_draft
from pipeline.guessing.log_folders import find_domains

HEADER = ("time", "user_id", "item_id", "click", "device", "price")


def column(values, name="x", kind=None):
    """Returns a column of plain values."""
    is_array = isinstance(values, pa.Array)
    return Column(name, values if is_array else pa.array(values, kind))


def rows(number=200, seed=0, start=1_704_067_200):
    """Returns impressions of ten days: time, user, item, click, device, price."""
    draw = random.Random(seed)
    return [
        (
            start + i * 864_000 // number,
            f"u{draw.randrange(30)}",
            f"i{draw.randrange(12)}",
            int(draw.random() < 0.3),
            draw.choice(["phone", "desktop"]),
            round(draw.uniform(1, 90), 2),
        )
        for i in range(number)
    ]


def as_csv(lines, header=HEADER, delimiter=","):
    """Returns rows as the text of a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerows([header, *lines])
    return text.getvalue()


def draft_of(folder, target="ads", named=None):
    """Returns the draft of all logs in a folder; `named` is of the target alone."""
    guesses = [
        look_at(logs, named if named and logs.name == target else Named())
        for logs in find_domains([str(folder)])
    ]
    return make_draft(guesses, choose_target(guesses, target))


def written(draft, folder):
    """Writes a draft as a configuration; returns its path and what is unsure."""
    text, unsure = to_yaml(draft, "ads", folder / "logs", "ads.pbtxt")
    path = folder / "ads.yaml"
    path.write_text(text)
    return path, unsure


def with_feeds(folder, ads):
    """Writes ads.csv with a text or bytes, and usual feeds beside it."""
    folder.mkdir(exist_ok=True)
    content = ads.encode() if isinstance(ads, str) else ads
    (folder / "ads.csv").write_bytes(content)
    (folder / "feeds.csv").write_text(as_csv(rows(400, seed=1)))
    return folder
