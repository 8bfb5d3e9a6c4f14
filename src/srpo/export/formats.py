"""Examples to rows, one function per format; the formats' own pages are cited in `docs/interoperability.md`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from srpo.export.examples import Example, Kind
from srpo.steps import answer

FormatName = Literal["trl", "swift", "llamafactory", "verl"]
Row = dict[str, Any]
_IMAGE: Final = "<image>"
"""Where the picture stands in a text, for all formats but TRL's."""


@dataclass(frozen=True)
class Format:
    """How a trainer wants its data.

    - `kinds`: what it takes, its usual kind first;
    - `row`: example and image path, as it stands in the row, to a row; without a picture it has no word of one;
    - `tags`: words that the trainer takes for pictures and the like wherever they stand in a text.  There is no
      way to escape them, so an example whose own text holds one cannot be exported.
    """

    kinds: tuple[Kind, ...]
    row: Callable[[Example, str | None], Row]
    tags: tuple[str, ...]


def trl_row(example: Example, image: str | None) -> Row:
    """Conversational row with a list of images; TRL puts the picture in front of the user's text itself."""
    row: Row = {"prompt": [_turn("user", example.prompt)], **_images(image), "sample": example.sample.id}
    if example.rejected is not None and example.chosen is not None:
        sides = {"chosen": [_turn("assistant", example.chosen)], "rejected": [_turn("assistant", example.rejected)]}
        return {**row, **sides, "prefix": example.prefix}
    return row if example.chosen is None else {**row, "completion": [_turn("assistant", example.chosen)]}


def swift_row(example: Example, image: str | None) -> Row:
    """The standard format of ms-swift; it drops other columns, except for GRPO, where they reach the reward."""
    messages = [_turn("user", _tagged(example, image))]
    if example.chosen is not None:
        messages.append(_turn("assistant", example.chosen))
    row: Row = {"messages": messages, **_images(image), "sample": example.sample.id}
    return row if example.rejected is None else {**row, "rejected_response": example.rejected}


def llamafactory_row(example: Example, image: str | None) -> Row:
    """The sharegpt format of LLaMA-Factory: the pair stands apart from the conversation."""
    human = {"from": "human", "value": _tagged(example, image)}
    replies = [{"from": "gpt", "value": text} for text in (example.chosen, example.rejected) if text is not None]
    if len(replies) == 1:
        return {"conversations": [human, *replies], **_images(image)}
    return {"conversations": [human], "chosen": replies[0], "rejected": replies[1], **_images(image)}


def verl_row(example: Example, image: str | None) -> Row:
    """The five fields of verl and `images`, and `problem` and `answer` as EasyR1's example settings name them.

    Pictures lie in the row, the only form that both read; `image` is not opened by either.
    """
    sample, prompt = example.sample, _tagged(example, image)
    shown = [] if example.picture is None else [{"bytes": example.picture.read_bytes(), "path": image}]
    truth = {"sample": sample.id, "cell": sample.cell, "reply": answer(sample.reference)}
    text = json.dumps(truth, ensure_ascii=False)
    return {
        "data_source": "srpo",
        "prompt": [_turn("user", prompt)],
        "images": shown,
        "ability": "safety",
        "reward_model": {"style": "rule", "ground_truth": text},
        "extra_info": {"split": sample.split, "index": sample.id, "cell": sample.cell},
        "problem": prompt,
        "answer": text,
    }


def dataset_info(kind: Kind, file_name: str, pictures: bool) -> Row:
    """The entry of `dataset_info.json` with which LLaMA-Factory finds a file's columns, pictures or none."""
    columns = {"messages": "conversations", **({"images": "images"} if pictures else {})}
    entry: Row = {"file_name": file_name, "formatting": "sharegpt", "columns": columns}
    if kind == "preference":
        entry |= {"ranking": True, "columns": {**columns, "chosen": "chosen", "rejected": "rejected"}}
    return entry


def _images(image: str | None) -> Row:
    return {} if image is None else {"images": [image]}


def _tagged(example: Example, image: str | None) -> str:
    return example.prompt if image is None else _IMAGE + example.prompt


def _turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


FORMATS: Final[dict[FormatName, Format]] = {
    "trl": Format(("preference", "sft", "reward"), trl_row, ()),
    "swift": Format(
        ("preference", "sft", "reward"),
        swift_row,
        # The old form <img>path</img> is read too.
        (_IMAGE, "<video>", "<audio>", "<bbox>", "<ref-object>", "<img>"),
    ),
    "llamafactory": Format(("preference", "sft"), llamafactory_row, (_IMAGE, "<video>", "<audio>")),
    "verl": Format(("reward",), verl_row, (_IMAGE, "<video>")),
}
"""All formats by the name that the command line takes."""
