"""A group of commands whose first word may also be what its main command takes."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup


class DefaultGroup(TyperGroup):
    """`default` is meant if the first word is none of the group's commands: a path, or an option of that command."""

    default: str

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] != "--help":
            args = [self.default, *args]
        return super().parse_args(ctx, args)


def default_group(name: str) -> type[DefaultGroup]:
    """The class of a group whose main command has this name."""
    return type("DefaultGroup", (DefaultGroup,), {"default": name})
