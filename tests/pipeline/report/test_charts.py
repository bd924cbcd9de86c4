"""Charts: coordinates, gaps, intervals, legends, escaping."""

import re

from pipeline.report.charts import Point
from pipeline.report.charts import Series
from pipeline.report.charts import interval_bar
from pipeline.report.charts import line_chart
from pipeline.report.charts import reliability_chart


def test_a_line_goes_through_its_points():
    chart = line_chart("t", [Series("a", (Point(0, 0.0), Point(10, 1.0)))])
    # Left 52, right 360 - 12; bottom 210 - 24, top 10.
    assert 'points="52.0,186.0 348.0,10.0"' in chart


def test_a_gap_is_not_bridged():
    points = (Point(0, 1.0), Point(1, 2.0), Point(2, None), Point(3, 2.0), Point(4, 1))
    assert line_chart("t", [Series("a", points)]).count("<polyline") == 2


def test_without_a_value_there_is_no_chart():
    assert line_chart("t", [Series("a", (Point(0, None),))]) == ""
    assert line_chart("t", []) == ""
    assert reliability_chart("t", []) == ""
    assert interval_bar(None, None, None, first=0, last=1, reference=None) == ""


def test_intervals_become_whiskers_or_a_band():
    few = tuple(Point(x, 0.5, 0.4, 0.6) for x in range(3))
    many = tuple(Point(x, 0.5, 0.4, 0.6) for x in range(30))
    assert line_chart("t", [Series("a", few)]).count('class="whisker') == 3
    assert line_chart("t", [Series("a", many)]).count('class="band') == 1


def test_several_lines_have_a_legend_and_one_has_none():
    line = (Point(0, 1.0),)
    both = line_chart("t", [Series("ca", line), Series("uk", line)])
    assert re.findall(r"</i>(\w+)</span>", both) == ["ca", "uk"]
    assert "legend" not in line_chart("t", [Series("ca", line)])


def test_hostile_names_stay_text():
    evil = "</svg><script>alert(1)</script>\"'&"
    line = (Point(0, 1.0),)
    chart = line_chart(evil, [Series(evil, line), Series("b", line)])
    assert "<script" not in chart
    assert "&lt;/svg&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;" in chart


def test_equal_rates_lie_on_the_diagonal():
    chart = reliability_chart("t", [Point(0.5, 0.5, 0.0, 0.6), Point(1.0, 1.0)])
    dots = re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', chart)
    assert dots == [("200.0", "98.0"), ("348.0", "10.0")]


def test_an_interval_bar_is_clipped_to_its_axis():
    bar = interval_bar(0.5, -1.0, 2.0, first=0, last=1, reference=0.5)
    assert '<line class="line s0" x1="4.0" y1="7.0" x2="116.0" y2="7.0"/>' in bar
    assert 'cx="60.0"' in bar
