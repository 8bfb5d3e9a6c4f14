"""One report as a standalone page, a terminal table and a Markdown table.  Knows no other stage."""

from srpo.report.examples import Example, Output, change_of, choose_examples, load_images, png_of_sample
from srpo.report.leaderboard import render_leaderboard
from srpo.report.page import render_page
from srpo.report.summary import verdict
from srpo.report.table import headline_table, markdown_table
from srpo.report.trees import TreeView

__all__ = [
    "Example",
    "Output",
    "TreeView",
    "change_of",
    "choose_examples",
    "headline_table",
    "load_images",
    "markdown_table",
    "png_of_sample",
    "render_leaderboard",
    "render_page",
    "verdict",
]
