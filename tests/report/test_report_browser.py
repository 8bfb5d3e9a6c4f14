"""The page in a real browser, where there is one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from report_rows import HOSTILE, example, minimal_set, prefix_yield, report, sample, tree_view, update

from srpo.report import render_page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


def hostile_page() -> str:
    loaded = report(
        exploration={"prefixes": [prefix_yield(i) for i in range(7)]},
        training={"log": [update(1), update(2)]},
        versions={HOSTILE: HOSTILE},
    )
    of = sample(group=HOSTILE, split=HOSTILE, question=HOSTILE)
    return render_page(
        loaded, [example(True, False, of, text=HOSTILE), *minimal_set("g", True, False)], [tree_view(HOSTILE)]
    )


def browse(path: Path, folder: Path) -> tuple[str, str]:
    """The DOM after loading, and what the browser logged."""
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --enable-logging=stderr --virtual-time-budget=3000 --dump-dom"
    )
    command = [str(CHROMIUM), *flags.split(), f"--user-data-dir={folder / 'profile'}", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=dict(os.environ))
    if done.returncode != 0 or "<html" not in done.stdout:
        pytest.skip(f"Chromium does not start here (status {done.returncode})")
    return done.stdout, done.stderr


def test_browser_accepts_the_page_under_its_policy(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(hostile_page(), encoding="utf-8")
    dom, log = browse(page, tmp_path)
    assert not re.search(r"CONSOLE|Refused|Content Security Policy", log)
    assert "<script" not in dom and "onerror=alert(2)&gt;" in dom


def test_browser_refuses_a_style_sheet_and_a_script_that_are_not_the_page_s_own(tmp_path):
    page = tmp_path / "page.html"
    added = "<style>body{color:red}</style><script>document.title='ran'</script></body>"
    page.write_text(hostile_page().replace("</body>", added), encoding="utf-8")
    dom, log = browse(page, tmp_path)
    assert "Content Security Policy" in log and "<title>ran</title>" not in dom


def test_page_does_not_scroll_sideways_on_a_phone(tmp_path):
    opened = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", hostile_page()).replace(
        "<details", "<details open"
    )
    ask = "<script>onload=()=>parent.postMessage(document.documentElement.scrollWidth,'*')</script></body>"
    (tmp_path / "page.html").write_text(opened.replace("</body>", ask), encoding="utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(
        '<body><iframe src="page.html" style="width:380px;height:800px;border:0"></iframe>'
        "<script>onmessage=e=>document.title='width '+e.data</script></body>",
        encoding="utf-8",
    )
    dom, _ = browse(frame, tmp_path)
    width = re.search(r"<title>width (\d+)</title>", dom)
    assert width and int(width[1]) <= 380
