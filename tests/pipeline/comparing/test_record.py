"""Record of a comparison: written and read back."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import xml.etree.ElementTree as ElementTree

import pytest

from models.errors import DataError
from pipeline.comparing.picture import picture
from pipeline.comparing.record import read_json
from pipeline.comparing.record import to_csv
from pipeline.comparing.record import to_json
from pipeline.comparing.run import markdown
from pipeline.comparing.run import write
from tests.pipeline.comparing.examples import ECDCTR
from tests.pipeline.comparing.examples import STAR
from tests.pipeline.comparing.examples import TARGET_ONLY
from tests.pipeline.comparing.examples import UNDEFINED
from tests.pipeline.comparing.examples import comparison

SVG = "{http://www.w3.org/2000/svg}"


def test_a_record_is_read_back_as_it_was(tmp_path):
    path = tmp_path / "comparison.json"
    path.write_text(to_json(comparison()))
    assert read_json(path) == comparison()


def test_what_is_undefined_survives_the_file(tmp_path):
    nothing = dataclasses.replace(STAR, gap_share=UNDEFINED)
    path = tmp_path / "comparison.json"
    path.write_text(to_json(comparison(models=(nothing, TARGET_ONLY), oracle=None)))
    found = read_json(path)
    assert math.isnan(found.models[0].gap_share.low)
    assert found.oracle is None


@pytest.mark.parametrize("text", ["{", "{}", '{"name": 3}'])
def test_another_file_is_refused(tmp_path, text):
    path = tmp_path / "comparison.json"
    path.write_text(text)
    with pytest.raises(DataError, match="is not a valid comparison"):
        read_json(path)


def test_the_csv_has_the_means_and_every_seed():
    lines = list(csv.DictReader(io.StringIO(to_csv(comparison()))))
    means = {line["strategy"]: line for line in lines if line["seed"] == "all"}
    assert list(means) == ["ecdctr", "star", "target_only", "logistic", "oracle"]
    ecdctr = means["ecdctr"]
    assert float(ecdctr["gauc"]) == pytest.approx(0.66)
    assert float(ecdctr["gauc_minus_baseline_low"]) == 0.02
    assert not [column for column in ecdctr if column.endswith("_outcome")]
    assert float(ecdctr["gap_share"]) == 0.5
    assert ecdctr["levels"] == "tpm:2 cpm:1 target:1"
    assert float(ecdctr["rows_read"]) == 29_750
    assert means["star"]["peak_memory_mib"] == ""
    assert float(means["oracle"]["gauc"]) == 0.71
    by_seed = [
        (line["seed"], float(line["gauc"]))
        for line in lines
        if line["strategy"] == "ecdctr" and line["seed"] != "all"
    ]
    assert by_seed == [("17", 0.65), ("18", 0.67)]


def _tables(text):
    """Returns the tables of a Markdown page, row by row."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_the_markdown_has_the_same_numbers():
    text = markdown(comparison())
    rows = _tables(text)
    quality = dict(zip(rows[0], rows[2], strict=True))
    assert quality == {
        "strategy": "ecdctr",
        "GAUC": "0.6600 ± 0.0141",
        "GAUC: minus target_only": "+0.0500 [+0.0200, +0.0800]",
        "AUC": "0.7000 ± 0.0000",
        "AUC: minus target_only": "+0.0000 [-0.0100, +0.0100]",
        "log loss": "0.4000 ± 0.0000",
        "log loss: minus target_only": "-0.0200 [-0.0300, -0.0100]",
        "AUC: minus logistic": "",
        "normalized entropy": "0.9500",
        "predicted/actual": "1.0200",
        "share of the reachable gap": "50% [20%, 80%]",
    }
    assert rows[5][:4] == ["logistic", "0.6100", "+0.0100 [-0.0100, +0.0300]", "0.6800"]
    costs = dict(zip(rows[6], rows[9], strict=True))
    assert costs == {
        "strategy": "star",
        "trainings": "target",
        "target steps": "1,279 of 57",
        "rows read": "29,750",
        "training, s": "10.4",
        "peak memory (added), MiB": "– (+245)",
        "SavedModel, MiB": "4.5",
        "ms per 100 candidates": "2.12",
    }
    assert "7,105 rows of ads from 2024-02-23 to 2024-02-29" in text
    assert "Seeds 17, 18" in text
    assert "`crossctr compare configs/feeds_ads.yaml --day 2024-02-23`" in text
    assert all(len(row) == len(rows[0]) for row in rows[:6])


def test_the_picture_has_a_dot_and_an_interval_for_each_model_and_metric():
    told = dataclasses.replace(ECDCTR.differences["auc"], adjusted=0.01)
    ours = dataclasses.replace(ECDCTR, differences={**ECDCTR.differences, "auc": told})
    drawn = picture(comparison(models=(ours, STAR, TARGET_ONLY)))
    root = ElementTree.fromstring(drawn)
    kinds = [e.get("class") for e in root.iter(f"{SVG}circle")]
    # Two models, two metrics; a filled dot is told apart from zero.
    assert kinds == ["dot open", "dot open", "dot", "dot open"]
    bars = [e for e in root.iter(f"{SVG}line") if e.get("class") == "bar"]
    assert len(bars) == 4
    assert float(bars[0].get("x1")) < float(bars[0].get("x2"))
    words = " ".join(e.text or "" for e in root.iter(f"{SVG}text"))
    assert "feeds, partner → ads" in words
    assert "95 % interval" in words
    assert not {"wins", "loses"} & set(words.split())
    # Nothing is loaded, and a name is text.
    assert "http" not in picture(comparison()).replace("http://www.w3.org/2000/svg", "")
    odd = dataclasses.replace(ECDCTR, name="<b>&")
    assert "&lt;b&gt;&amp;" in picture(comparison(models=(odd, TARGET_ONLY)))


def test_what_is_undefined_has_no_dot():
    nothing = dataclasses.replace(
        STAR, differences=dict.fromkeys(("auc", "gauc", "log_loss"), UNDEFINED)
    )
    root = ElementTree.fromstring(picture(comparison(models=(nothing, TARGET_ONLY))))
    assert not list(root.iter(f"{SVG}circle"))
    assert picture(comparison(models=(TARGET_ONLY,))) == ""


def test_all_four_files_are_written_whole(tmp_path):
    write(comparison(), tmp_path / "2024-02-23")
    names = sorted(path.name for path in (tmp_path / "2024-02-23").iterdir())
    assert names == [f"comparison.{kind}" for kind in ("csv", "json", "md", "svg")]
    again = read_json(tmp_path / "2024-02-23" / "comparison.json")
    assert markdown(again) == (tmp_path / "2024-02-23" / "comparison.md").read_text()
