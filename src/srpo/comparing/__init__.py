"""Finished runs side by side: paired comparisons and a leaderboard.  Asks no model and needs no torch."""

from srpo.comparing.board import leaderboard_of
from srpo.comparing.layout import csv_table, tables_of
from srpo.comparing.lines import Line, compare_sides
from srpo.comparing.runs import Side, read_sides

__all__ = ["Line", "Side", "compare_sides", "csv_table", "leaderboard_of", "read_sides", "tables_of"]
