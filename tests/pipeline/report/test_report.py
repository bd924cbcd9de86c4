"""Report of a run: equal to the stored artifacts, with any of them missing."""

import dataclasses
import datetime
import html.parser
import importlib.util
import io
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from components.gate.reasons import Reason
from models.artifact_files import CARD_TEXT_FILE
from models.days import DayRange
from models.errors import DataError
from pipeline.cli.group import main
from pipeline.execution.job import run_steps
from pipeline.execution.run_records import RunRecord
from pipeline.execution.run_records import StepRun
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Block
from pipeline.report import content
from pipeline.report.content import gather
from pipeline.report.content import newest_record
from pipeline.report.pages import report_run
from pipeline.report.quality import gather_quality
from pipeline.report.strategy_part import strategy_part
from pipeline.report.write import render_run
from pipeline.report.write import tidy
from pipeline.store.reader import Store
from pipeline.terminal.plain_text import Console

_SPEC = importlib.util.spec_from_file_location(
    "stored", Path(__file__).with_name("stored.py")
)
stored = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(stored)

CARD = Path(CARD_TEXT_FILE).name
_VOID = {"meta", "line", "polyline", "polygon", "circle", "br"}


class _Checker(html.parser.HTMLParser):
    """Fails on a tag that is closed wrongly, and keeps text and attributes."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.attributes, self.ids = [], [], [], []

    def handle_starttag(self, tag, attrs):
        assert tag != "script"
        self.attributes += [(tag, name, value) for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def check(page):
    """Returns a page's text after looking at its structure."""
    checker = _Checker()
    # Hints on where a line may break are no part of what is said.
    plain = page.replace("<wbr>", "")
    checker.feed(re.sub(r'<span class="nw">([^<]*)</span>', r"\1", plain))
    checker.close()
    assert checker.open == []
    assert len(checker.ids) == len(set(checker.ids))
    links = [v for t, n, v in checker.attributes if (t, n) == ("a", "href")]
    inside = {link[1:] for link in links if link.startswith("#")}
    assert inside <= set(checker.ids)
    # The model card alone is another file, which the page does without.
    assert {Path(link).name for link in links if link[1:] not in inside} <= {CARD}
    loads = [a for a in checker.attributes if a[1] in ("src", "srcset", "data")]
    assert loads == []
    assert not re.search(r"https?://|//[a-z]|@import|url\(", page)
    return " ".join(" ".join(checker.text).split())


@pytest.fixture
def run(tmp_path):
    return stored.StoredRun(tmp_path).write()


def _page(run):
    return render_run(gather(run.config, newest_record(run.config, stored.DAY)))


def test_numbers_on_the_page_are_those_of_the_artifacts(run):
    text = check(_page(run))
    for said in (
        "xmarket, 2019-01-01",
        "ecdctr: Approved and published as version 2019010100.",
        "Compared with the live model on the same rows.",
        "AUC 0.6543 live model 0.6420",
        "GAUC 0.6321 live model undefined",
        "log loss 0.4433 live model 0.4501",
        "predicted / actual clicks 0.987 live model 1.010",
        "normalized entropy 0.9731 live model 0.9881",
        "evaluation impressions 3,722 25.0% of them count for GAUC",
        "clicks among them 3,221",
        "ecdctr 0.6543 0.6321 0.4433 0.9731 0.987 3,722 3,221 approved",
        "constant 0.5000 0.5000 0.4555 1.0001 1.002 3,722 3,221",
        "click rate of de's impressions in the training window, 86.69%",
        "held AUC +0.0123 against the live model, allowed is -0.0100",
        # Training: rows, click rate, steps, time, losses, parameters.
        "15,813 86.69% 31 2 passes of about 15 19 s 0.3540, 0.3120 316,753",
        "2019-01-01: 31 optimizer steps, fewer than 50, from the weights of an earlier",
        "resized: embedding/user/table. left out: hidden_0_norm/gamma,",
        # Rows read, written, quarantined over both blocks.
        "ca 14,100 14,000 100 0.71% 2",
        "de 12,000 12,000 0 0.00% 2",
        "all 26,100 26,000 100 0.38% 4",
        "Drift from the previous block, 2018-12-28..2018-12-31: "
        "largest ca item_id 0.910",
        # 200 ids, of which 6 unknown, all of them in de; 10 new.
        "user_id 200 3.0% 6.0% 5.0%",
        "user 12,000 2,000 24,000 50.0% 3 17",
        "1:01 min",
        "TargetTrainer 42 s",
        "259",  # rows/s: 15,813 / 61
    ):
        assert said in text, said


def test_a_run_says_what_its_page_says_of_few_steps(run):
    shown = Console(width=200, record=True, file=io.StringIO())
    done = dataclasses.replace(run.target, done=True)
    run_steps(run.config, [*run.ingest, done], shown, day=stored.DAY)
    (note,) = [line for line in shown.export_text().splitlines() if "steps," in line]
    assert note.strip() == (
        "31 optimizer steps, fewer than 50, from the weights of an earlier model"
    )
    assert note.strip() in check(_page(run))


def test_the_lineage_names_every_artifact_that_was_read(run):
    report = gather(run.config, newest_record(run.config, stored.DAY))
    line = report.steps[-1]
    assert [(read.text, read.fingerprint) for read in line.reads] == [
        ("rows of 2018-12-28..2018-12-31", "history0"),
        ("weights of an earlier model", "cpm00000"),
        ("evaluation rows of 2019-01-01..2019-01-01", "today000"),
        ("the live model, to compare with", "live0000"),
    ]
    assert (line.rows, line.state, line.seconds) == (15813, "done", 61.0)
    assert [step.state for step in report.steps] == ["reused", "reused", "done"]


def test_a_distance_beyond_its_threshold_stands_out(run):
    page = _page(run)
    assert '<td class="n far">0.910</td>' in page
    assert '<td class="n">0.050</td>' in page


def test_distances_of_the_newest_blocks_are_enough(tmp_path):
    run = stored.StoredRun(tmp_path)
    blocks = []
    for day in range(17890, 17897):
        block = Block(DayRange(day, day), f"block{day}", None)
        guard = {**stored.GUARD_REPORT, "days": str(block.days)}
        run.write_block(block, stored.accounts(day, ca=(10, 0)), guard)
        blocks.append(block.fingerprint)
    found = gather_quality(Store(run.root), blocks, ["ca"], 1000)
    assert found.total.read == 70
    assert [block.days[:10] for block in found.blocks] == [
        f"2018-12-{day}" for day in (31, 30, 29, 28, 27)
    ]


def test_calibration_is_that_of_the_kept_scores(run):
    report = gather(run.config, newest_record(run.config, stored.DAY))
    # 20 scores 0, 0.05 ... 0.95 with labels 0, 1, 0, 1: pairs, half of them clicked.
    tenths = report.main.calibration
    assert [part.rows for part in tenths] == [2] * 10
    assert [part.actual for part in tenths] == [0.5] * 10
    assert tenths[0].predicted == pytest.approx(0.025)
    assert "2.50%" in check(render_run(report))


def test_large_evaluation_sets_are_not_scored_at_the_end_of_a_run(run):
    (run.root / "scores" / "target00.parquet").unlink()
    record = newest_record(run.config, stored.DAY)
    report = gather(run.config, record, max_scored_rows=1000)
    assert report.main.calibration == ()
    assert "more than 1,000 evaluation rows" in check(render_run(report))


def test_slices_and_intervals_are_shown_where_the_decision_has_them(tmp_path):
    run = stored.StoredRun(tmp_path, stored.WITH_SLICES).write()
    page = _page(run)
    text = check(page)
    for said in (
        "AUC 0.6543 (0.6111 to 0.6999)",
        "1-5 1,553 0.600 (0.550 to 0.650) +0.010 (-0.100 to +0.200) undefined",
        "21+ 67 undefined",
    ):
        assert said in text, said
    assert page.count('<svg class="mini"') == 1  # too few rows have no bar


def test_grey_slices_have_no_intervals(tmp_path):
    few = dict(stored.WITH_SLICES["slices"][0], few_rows=True)
    decision = {**stored.WITH_SLICES, "slices": [few]}
    text = check(_page(stored.StoredRun(tmp_path, decision).write()))
    assert "1-5 1,553 0.600 +0.010 undefined" in text


def test_the_page_names_the_model_card_if_there_is_one(run):
    assert "It has no model card: a version before 0.2.0" in check(_page(run))
    card = run.root / "serving" / "xmarket" / "2019010100" / CARD_TEXT_FILE
    card.parent.mkdir(parents=True)
    card.write_text("# Model card")
    page = _page(run)
    assert "Model card of version 2019010100" in check(page)
    (link,) = re.findall(r'<a href="([^"#]*)"', page)
    folder = run.root / "reports" / "2019-01-01"
    folder.mkdir(parents=True)
    assert (folder / link).read_text() == "# Model card"


def test_hostile_strings_stay_text(run):
    evil = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"
    run.json(
        run.root / "quarantine" / "ca" / "2019-01-01" / "00000.jsonl",
        {"reason": evil, "row": 1},
    )
    report = gather(run.config, newest_record(run.config, stored.DAY))
    steps = tuple(
        dataclasses.replace(step, label=evil, note=evil) for step in report.steps
    )
    trainings = tuple(
        dataclasses.replace(t, label=evil, strategy=_part(_saw(evil)))
        for t in report.trainings
    )
    judged = dataclasses.replace(
        report.main,
        strategy=evil,
        reasons=(Reason("min_auc", "refused", evil),),
        published=evil,
    )
    report = dataclasses.replace(
        report, name=evil, steps=steps, trainings=trainings, judged=(judged, judged)
    )
    page = render_run(report)
    text = check(page)
    assert "<img" not in page
    assert f"1 {evil}" in text  # the quarantine's reason
    stopped = render_run(dataclasses.replace(report, error=evil))
    assert "<img" not in stopped
    assert f"of this day is published. {evil}" in check(stopped)


def _saw(name="feeds"):
    """Returns what the trainer notes of two sources, one of them never read."""
    row = {
        "source": name,
        "weight": 0.91,
        "label": 1,
        "day": 17_897,
        "rows": {"segment": "12", "slot": "top"},
    }
    return {
        "weights": {name: 0.62},
        "rows": {name: 1_200, "partner": 0},
        "target_slopes": {"values": [0.8, 0.05]},
        "measured": {name: {"values": [0.71, 0.04]}},
        "source_rows": 1_200,
        "source_passes": 1,
        "windows": [
            {
                "step": step,
                "gain": None if step == 100 else 0.001 * step,
                "error": None if step == 100 else 0.002,
                "distance": 0.1,
                "undone": False,
                "weights": {name: 0.6},
            }
            for step in (100, 150, 200)
        ],
        "highest": [row],
        "lowest": [{**row, "weight": 0.02}],
        "words": [f"{name}: mean weight 0.62", "partner: no row of it was read"],
    }


def _part(saw):
    return strategy_part({"strategy": {"kind": "cctl"}, "record": saw})


@pytest.mark.parametrize(
    "report",
    [
        {},
        {"strategy": {"kind": "target_only"}, "record": None},
        {"strategy": {"kind": "joint"}, "record": {"anything": 1}},
    ],
)
def test_a_strategy_that_reports_nothing_has_no_part(report):
    assert strategy_part(report) is None


def test_the_page_says_what_the_sources_brought(run):
    report = gather(run.config, newest_record(run.config, stored.DAY))
    part = _part(_saw())
    first = dataclasses.replace(report.trainings[0], strategy=part)
    page = render_run(dataclasses.replace(report, trainings=(first,)))
    text = check(page)
    for said in (
        "feeds: mean weight 0.62 partner: no row of it was read",
        "feeds 1,200 0.620 values 0.71 ± 0.04",
        "partner 0 undefined not measured",
        "0.910 feeds 2019-01-01 1 segment 12, slot top",
        "0.020 feeds 2019-01-01",
    ):
        assert said in text, said
    assert "What the sources brought" not in _page(run)
    (chart,) = [chart for chart in part.charts if chart.title.startswith("Log loss")]
    gains = [point.y for line in chart.series for point in line.points]
    assert gains[0] is None
    assert gains[1:] == pytest.approx([0.15, 0.2])
    assert "Log loss saved by source impressions in a window" in text
    assert "No window" not in text


def test_a_training_of_few_steps_says_that_it_has_no_gain(run):
    saw = _saw()
    saw["windows"] = saw["windows"][:1]
    report = gather(run.config, newest_record(run.config, stored.DAY))
    first = dataclasses.replace(report.trainings[0], strategy=_part(saw))
    text = check(render_run(dataclasses.replace(report, trainings=(first,))))
    assert "No window of this training has a gain" in text
    assert "Log loss saved by source impressions in a window" not in text


def test_a_report_without_artifacts_is_written():
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    report = content.Report(
        "n", "2019-01-01", ("a",), "b", now, now, "", (), None, None, (), ()
    )
    text = check(render_run(report))
    for said in ("No model of this day", "Nothing was trained", "No block of this run"):
        assert said in text


@pytest.mark.parametrize(
    "missing",
    [
        "accounting.json",
        "encoding.json",
        "vocabulary.json",
        "report.json",
        "decision.json",
        "metadata.sqlite",
    ],
)
def test_whatever_is_missing_the_rest_is_shown(run, missing):
    found = list(run.root.rglob(missing))
    assert found
    for path in found:
        path.unlink()
    text = check(_page(run))
    assert "ecdctr for de on 2019-01-01" in text
    assert ("AUC 0.6543" in text) == (
        missing not in ("decision.json", "metadata.sqlite")
    )


@pytest.mark.slow
def test_without_scores_and_model_the_calibration_says_so(run):
    (run.root / "scores" / "target00.parquet").unlink()
    assert "Not drawn: " in check(_page(run))


def test_a_stopped_run_says_why_and_what_was_not_reached(tmp_path):
    run = stored.StoredRun(tmp_path)
    run.write_block(stored.HISTORY, stored.accounts(17896, ca=(9, 0)), None)
    run.record(error="the logs of 2019-01-01 do not fit the schema: de: no row at all")
    text = check(_page(run))
    assert "Stopped before a model of this day was published" in text
    assert "do not fit the schema: de: no row at all" in text
    assert "failed" in text


def test_a_run_of_which_a_part_failed_says_so_beside_what_was_judged(tmp_path):
    run = stored.StoredRun(tmp_path).write()
    run.record(error="ctnet: the source model broke")
    text = check(_page(run))
    assert "A part of this run failed" in text
    assert "ctnet: the source model broke" in text
    assert "Stopped" not in text
    assert "AUC 0.6543" in text


def test_a_promoted_model_names_who_and_why(tmp_path):
    refused = {**stored.DECISION, "approved": False, "reasons": ["AUC 0.4: refused"]}
    run = stored.StoredRun(tmp_path, refused).write()
    run.put(
        "PublishedModel", "target00", day=stored.DAY, pushed=1, path="/s/2019010101",
        override_by="ann", override_at="2026-01-02", override_reason="A/B test 7",
    )  # fmt: skip
    text = check(_page(run))
    assert "Refused by the Gate, published as 2019010101 by a person." in text
    assert "Published by ann at 2026-01-02: A/B test 7" in text


# The commands.


def _invoke(run, *arguments):
    return CliRunner().invoke(main, ["report", str(run.path), *arguments])


def test_report_rebuilds_the_page_of_a_day(run):
    result = _invoke(run, "--day", "2019-01-01")
    assert result.exit_code == 0, result.output
    path = run.root / "reports" / "2019-01-01" / "report.html"
    assert result.output.strip() == f"Report: {path}"
    assert "0.6543" in check(path.read_text())
    assert not list(path.parent.glob("*.writing"))


def test_report_over_days_shows_stored_decisions(run):
    result = _invoke(run, "--from", "2018-12-30", "--to", "2019-01-02")
    assert result.exit_code == 0, result.output
    path = run.root / "reports" / "2018-12-30..2019-01-02" / "report.html"
    text = check(path.read_text())
    for said in (
        "2019-01-01 ecdctr 0.6543 0.6321 0.4433 0.987 3,722 approved 2019010100",
        "2019-01-01 2019010100 Approved and published as version 2019010100.",
        "Share of ids unknown",
    ):
        assert said in text, said


def test_days_are_found_without_a_record_if_their_model_was_published(run):
    for path in run.root.glob("runs/*/steps.json"):
        path.unlink()
    result = _invoke(run, "--from", "2019-01-01", "--to", "2019-01-01")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "expected either --day D, or --from A and --to B"),
        (("--from", "2019-01-01"), "expected either --day D"),
        (
            ("--day", "2019-01-01", "--from", "2019-01-01", "--to", "2019-01-02"),
            "expected either --day D",
        ),
        (("--from", "2019-01-02", "--to", "2019-01-01"), "swap them"),
        (("--from", "2020-01-02", "--to", "2020-01-03"), "no run of 2020-01-02"),
    ],
)
def test_report_refuses_what_it_cannot_show(run, arguments, said):
    result = _invoke(run, *arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_a_failed_report_is_printed_and_does_not_end_the_run(run, monkeypatch, capsys):
    def fail(*_, **__):
        raise ZeroDivisionError("[bold]no[/bold]")

    monkeypatch.setattr(content, "gather", fail)
    path = report_run(run.config, stored.DAY, [run.target], Console(width=200))
    assert path is None
    said = capsys.readouterr().out
    assert "could not be written (ZeroDivisionError: [bold]no[/bold])" in said
    assert "crossctr report CONFIG --day 2019-01-01" in said
    log = run.root / "reports" / "2019-01-01" / "libraries.log"
    assert "Traceback" in log.read_text()


def test_a_run_of_done_steps_has_a_page_with_the_times_of_their_making(run):
    done = dataclasses.replace(run.target, done=True, fingerprint="target00")
    record = content.record_of(run.config, stored.DAY, [done])
    assert [one.state for one in record.steps] == ["reused"]
    line = gather(run.config, record).steps[0]
    assert (line.state, line.seconds) == ("reused", 61.0)


def test_the_error_of_a_run_reaches_the_page(run, capsys):
    path = report_run(
        run.config, stored.DAY, [run.target], Console(width=200), error="disk is full"
    )
    assert f"Report: {path}" in capsys.readouterr().out
    assert "disk is full" in check(path.read_text())


def test_a_record_without_a_day_takes_that_of_its_steps(run):
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    record = RunRecord(None, now, (StepRun(run.target, "done"),))
    assert gather(run.config, record).day == "2019-01-01"


def test_a_broken_artifact_is_named(run):
    (path,) = run.root.rglob("decision.json")
    path.write_text("{")
    with pytest.raises(DataError, match=r"decision\.json.*is not valid JSON"):
        gather(run.config, newest_record(run.config, stored.DAY))


def test_dates_stay_whole_and_names_break_at_underscores():
    assert tidy("rows of 2018-12-28..2018-12-31") == (
        'rows of <span class="nw">2018-12-28..2018-12-31</span>'
    )
    assert tidy("item_click_rate <b>") == "item_<wbr>click_<wbr>rate &lt;b&gt;"


def test_references_stand_beside_the_strategies(run):
    metrics = {**stored.DECISION["candidate"], "auc": 0.6801, "gauc": 0.5991}
    references = {
        "logistic + sources": {
            "metrics": metrics,
            "fitted_rows": 10,
            "window_rows": 99,
            "note": "",
        }
    }
    step = dataclasses.replace(
        run.target, kind=StepKind.REFERENCES, fingerprint="references0", training=""
    )
    folder = run.put("ReferenceScores", "references0", first_day=1, last_day=2)
    content = {"references": references, "mechanical": {"user_click_rate": 0.29}}
    run.json(folder / "references.json", content)
    record = newest_record(run.config, stored.DAY)
    beside = dataclasses.replace(record, steps=(*record.steps, StepRun(step, "reused")))
    text = check(render_run(gather(run.config, beside)))
    assert "logistic + sources 0.6801 0.5991" in text
    assert "fitted on a sample of 10 of 99 impressions" in text
    assert "GAUC not usable: user_click_rate moves within the block." in text
    assert "No strategy is ahead of the best reference, logistic + sources" in text
    assert "No references" in check(_page(run))
