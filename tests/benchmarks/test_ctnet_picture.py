"""Picture of CTNet's study."""

from xml.etree import ElementTree

from benchmarks.ctnet_picture import picture

SVG = "{http://www.w3.org/2000/svg}"


def test_each_metric_has_a_panel_with_a_line_per_model():
    curves = {"ctnet": [0.5, 0.6, 0.7], "target_only": [0.5, 0.5, 0.5]}
    root = ElementTree.fromstring(picture({"gauc": curves, "auc": curves}))
    lines = [line.attrib["points"] for line in root.iter(f"{SVG}polyline")]
    # Panels of 230 begin at 34 and at 34 + 230 + 50, days go from 60 to 590.
    assert lines == [
        "60.0,264.0 325.0,149.0 590.0,34.0",
        "60.0,264.0 325.0,264.0 590.0,264.0",
        "60.0,544.0 325.0,429.0 590.0,314.0",
        "60.0,544.0 325.0,544.0 590.0,544.0",
    ]
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert texts.count("ctnet") == texts.count("target_only") == 2
    assert [text for text in texts if text.endswith("of each day")] == [
        "GAUC of each day",
        "AUC of each day",
    ]
