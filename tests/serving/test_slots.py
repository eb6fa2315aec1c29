"""The choice of slots, without an engine."""

from __future__ import annotations

import asyncio

import pytest

from agenttuning.serving.slots import Slots, common_prefix


def test_common_prefix() -> None:
    long = list(range(5000))
    assert common_prefix(long, long[:4321] + [-1] + long[4322:]) == 4321
    assert common_prefix(long, long[:10]) == 10
    assert common_prefix([], long) == common_prefix([1], [2]) == 0


async def use(slots: Slots, ids: list[int], reply: list[int]) -> int:
    async with slots.hold(ids) as slot:
        slot.ids += reply
        return slot.number


def test_interleaved_episodes_that_share_an_instruction_keep_their_slots() -> None:
    """llama.cpp's own choice sends all of them to one slot, each overwriting the other's cache."""

    async def play() -> list[list[int]]:
        slots, instruction = Slots(parallel=2, spare=1), list(range(500))
        episodes = [instruction + [1000 + e] * 250 for e in range(3)]
        visits: list[list[int]] = [[], [], []]
        for turn in range(4):
            for e, ids in enumerate(episodes):
                visits[e].append(await use(slots, list(ids), [7, 7, 7]))
                ids += [7, 8, 9, 2000 + turn]  # the reply comes back tokenised differently
        return visits

    visits = asyncio.run(play())
    assert all(len(set(mine)) == 1 for mine in visits)
    assert len({mine[0] for mine in visits}) == 3


def test_a_new_episode_takes_the_slot_unused_for_longest() -> None:
    async def play() -> tuple[int, int, int, int]:
        slots = Slots(parallel=1, spare=1)
        a, b = await use(slots, [1] * 9, []), await use(slots, [2] * 9, [])
        again = await use(slots, [1] * 9 + [5], [])
        return a, b, again, await use(slots, [3] * 9, [])

    a, b, again, fresh = asyncio.run(play())
    assert again == a
    assert fresh == b


def test_waiting_requests_are_served_in_order_and_a_cancelled_one_leaves_the_queue() -> None:
    async def play() -> list[int]:
        slots, order = Slots(parallel=1, spare=1), []

        async def one(number: int) -> None:
            async with slots.hold([number]):
                assert slots.busy == 1
                order.append(number)
                await asyncio.sleep(0.01)

        tasks = [asyncio.create_task(one(n)) for n in range(5)]
        await asyncio.sleep(0)
        assert slots.waiting == 4
        tasks[2].cancel()
        tasks[0].cancel()  # the one at work: its place goes to the next
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (slots.waiting, slots.busy) == (0, 0)
        await asyncio.wait_for(one(9), 1)
        return order

    assert asyncio.run(play()) == [0, 1, 3, 4, 9]


@pytest.mark.parametrize("rounds", range(3))
def test_a_place_handed_over_to_a_cancelled_request_is_not_lost(rounds: int) -> None:
    async def play() -> None:
        slots = Slots(parallel=1, spare=0)
        async with slots.hold([1]):
            waiter = asyncio.create_task(use(slots, [2], []))
            await asyncio.sleep(0)
        waiter.cancel()  # after the hand-over, before the waiter has run
        await asyncio.gather(waiter, return_exceptions=True)
        await asyncio.wait_for(use(slots, [3], []), 1)

    asyncio.run(play())
