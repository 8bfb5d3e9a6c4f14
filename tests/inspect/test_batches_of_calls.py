"""Single calls become lists, whatever order they come in, and an error ends its own list only."""

from __future__ import annotations

from collections.abc import Sequence

import anyio

from srpo.inspect.batches import Batches


async def _all(batches: Batches[int, str], numbers: Sequence[int]) -> dict[int, str | Exception]:
    found: dict[int, str | Exception] = {}

    async def one(number: int) -> None:
        try:
            found[number] = await batches.ask(number)
        except ValueError as error:
            found[number] = error

    async with anyio.create_task_group() as group:
        for number in numbers:
            group.start_soon(one, number)
    return found


def test_calls_that_come_together_are_one_list() -> None:
    lists: list[list[int]] = []

    def work(numbers: Sequence[int]) -> list[str]:
        lists.append(list(numbers))
        return [f"<{number}>" for number in numbers]

    batches = Batches(work)
    for numbers in (range(20), range(20, 30)):  # two event loops, one after the other
        assert anyio.run(_all, batches, numbers) == {number: f"<{number}>" for number in numbers}
    assert [len(one) for one in lists] == [20, 10]


def test_an_error_reaches_every_call_of_its_list_and_no_other() -> None:
    def work(numbers: Sequence[int]) -> list[str]:
        if 3 in numbers:
            raise ValueError("three")
        return [str(number) for number in numbers]

    async def both() -> tuple[dict[int, str | Exception], dict[int, str | Exception]]:
        batches = Batches(work)
        return await _all(batches, range(5)), await _all(batches, range(5, 8))

    broken, whole = anyio.run(both)
    assert len(broken) == 5 and all(isinstance(error, ValueError) for error in broken.values())
    assert whole == {5: "5", 6: "6", 7: "7"}


def test_a_call_that_is_given_up_takes_no_other_with_it() -> None:
    lists: list[list[int]] = []

    def work(numbers: Sequence[int]) -> list[str]:
        lists.append(list(numbers))
        return [str(number) for number in numbers]

    async def leave() -> dict[int, str | Exception]:
        batches = Batches(work)
        async with anyio.create_task_group() as group:
            with anyio.move_on_after(0.001):
                await batches.ask(99)
            found = await _all(batches, range(3))
            group.cancel_scope.cancel()
        return found

    assert anyio.run(leave) == {0: "0", 1: "1", 2: "2"}
