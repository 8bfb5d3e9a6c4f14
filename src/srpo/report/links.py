"""Addresses of the items behind a number.

A number of the page links to `PAGE#items?KEY=VALUE&...`.  PAGE is empty if the items stand on the same page, else a
file beside it.  The browser of the items reads the part after `#items?` as a URL query and shows what fits all keys.
The browser itself adds what a reader has chosen: `q`, `sort`, `group`, `item` and `page`.  A key that is absent filters
nothing; a key that the browser does not know is ignored.  Values are percent-encoded as UTF-8; a space is `%20`.

- `system`: name of a system.
- `baseline`: name of the system that `system` is compared with.
- `change`: `fixed` (right with `system` alone) or `broken` (right with `baseline` alone), for `metric`.
- `metric`: a key of `Report.systems`, of `BenchmarkScore.rates` or of `Report.repeats`, or `first_failing_step`, or
  `risk_steps`.
- `value`: `right`, `wrong` or `unscored`: how the item counts for `metric` and `system`.  Right is the good value, so
  for over-refusal it is an item that was not declined.
- `decoding`: `greedy` or `sampled`.
- `draws`: `all`; without it the first draw of each item.
- `split`, `level`, `category`, `probe`: a key of the field of `Report` of that name; without `probe` the plain items.
- `cell`: a cell; `benign` stands for the three harmless ones.
- `step`: slug of a step, `answer`, `never` or `unjudged`.  With `first_failing_step` or `risk_steps` it is the step
  that comes first, else any result with that step.
- `pair`: a key of `Report.two_by_two`, such as `path safe, answer unsafe`.
- `benchmark`: name of a public benchmark; without it RSBench.
- `protocol`: `official` or `v1`, of a public benchmark.
- `judge`: name and version of a judge.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, get_args
from urllib.parse import quote, urlencode

Key = Literal[
    "system",
    "baseline",
    "change",
    "metric",
    "value",
    "decoding",
    "draws",
    "split",
    "level",
    "category",
    "cell",
    "step",
    "pair",
    "probe",
    "benchmark",
    "protocol",
    "judge",
]
ITEMS: Final = "items"
"""Fragment and id of the section that shows the items."""


class Linked(NamedTuple):
    """A printed number and the address of the items behind it."""

    text: str
    href: str


def linked(text: str, href: str | None) -> str | Linked:
    """The text, with its address if it has one."""
    return text if href is None else Linked(text, href)


def items_link(page: str | None, **keys: str | None) -> str | None:
    """The address of the items that fit all keys; none where there is no page of items.

    `page` is the file with the items, relative to this page: empty for the same page.  Keys without a value are
    left out; their order is kept, so equal calls give equal addresses.  Raises `TypeError` on an unknown key.
    """
    if page is None:
        return None
    if unknown := set(keys) - set(get_args(Key)):
        raise TypeError(f"items_link() has no key {sorted(unknown)}")
    query = urlencode({key: value for key, value in keys.items() if value is not None}, quote_via=quote)
    return f"{quote(page)}#{ITEMS}?{query}"
