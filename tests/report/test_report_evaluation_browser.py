"""The page of a whole evaluation and the leaderboard in a real browser, where there is one."""

from __future__ import annotations

import re

from evaluated_rows import SYSTEMS, hostile_evaluation, leaderboard_row
from report_rows import HOSTILE
from test_report_browser import browse, pytestmark

from srpo.report import render_page
from srpo.report.leaderboard import render_leaderboard

__all__ = ["pytestmark"]


def framed_width(html: str, folder) -> int:
    """Width in pixels that the page takes on a phone of 380 pixels, everything unfolded."""
    opened = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html).replace("<details", "<details open")
    ask = "<script>onload=()=>parent.postMessage(document.documentElement.scrollWidth,'*')</script></body>"
    (folder / "page.html").write_text(opened.replace("</body>", ask), encoding="utf-8")
    frame = '<body><iframe src="page.html" style="width:380px;height:800px;border:0"></iframe>'
    frame += "<script>onmessage=e=>document.title='width '+e.data</script></body>"
    (folder / "frame.html").write_text(frame, encoding="utf-8")
    dom, _ = browse(folder / "frame.html", folder)
    return int(re.search(r"<title>width (\d+)</title>", dom)[1])


def test_a_hostile_evaluation_runs_nothing_and_keeps_to_its_policy(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(render_page(hostile_evaluation(), items="items.html"), encoding="utf-8")
    dom, log = browse(page, tmp_path)
    assert not re.search(r"CONSOLE|Refused|Content Security Policy", log) and "<script" not in dom


def test_neither_page_scrolls_sideways_on_a_phone(tmp_path):
    assert framed_width(render_page(hostile_evaluation(), items="items.html"), tmp_path) <= 380
    rows = [leaderboard_row(HOSTILE, name, judge=HOSTILE) for name in SYSTEMS]
    assert framed_width(render_leaderboard(rows), tmp_path) <= 380
