"""SVG primitives: ticks, scales, labels, escaping."""

from xml.etree import ElementTree

import pytest

from pipeline.report import svg
from pipeline.report.svg import as_date
from pipeline.report.svg import as_share
from pipeline.report.svg import nice_ticks


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (0, 1, [0, 0.25, 0.5, 0.75, 1]),
        (0, 1950, [0, 500, 1000, 1500, 2000]),
        (0.61, 0.66, [0.6, 0.62, 0.64, 0.66]),
        (-0.2, 0.2, [-0.2, -0.1, 0, 0.1, 0.2]),
        (0, 0, [0, 0.25, 0.5, 0.75, 1]),
        (0, 0.0004, [0, 0.0001, 0.0002, 0.0003, 0.0004]),
    ],
)
def test_ticks_are_round_and_enclose_the_values(first, last, expected):
    assert nice_ticks(first, last) == pytest.approx(expected)


def test_a_scale_is_linear_and_centres_a_single_value():
    scale = svg.Scale(10, 20, 200, 100)
    assert [scale(value) for value in (10, 15, 20)] == [200, 150, 100]
    assert svg.Scale(3, 3, 0, 100)(3) == 50


def test_dates_and_shares_are_formatted():
    assert (as_date(17897), as_share(0.125)) == ("2019-01-01", "12.5%")


def test_a_document_stands_alone_and_escapes_text():
    body = [svg.box("back", 9, 9), svg.text(1, 2, "<b>&", "end", bold=True)]
    root = ElementTree.fromstring(svg.document(9, 9, 'a "b"', ".back {}", body))
    assert root.attrib["aria-label"] == 'a "b"'
    (text,) = root.iter("{http://www.w3.org/2000/svg}text")
    assert (text.text, text.attrib["text-anchor"]) == ("<b>&", "end")
