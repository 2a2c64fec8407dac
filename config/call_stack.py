"""Gives pages one large piece of Python's call stack.

Python 3.11 to 3.14 keep the frames of calls in pieces of 16 KiB, and return the last piece to the system as soon as the
call that began it is over. Where a loop of a template happens to call across the end of a piece, each call maps and
unmaps memory: a list of 50 calls took 1.5 times as long, after other middleware had made the stack a little deeper
(python/cpython#142183). The frame of a function with a large stack is put into a piece that is large enough for it, and
the calls below it have the rest of that piece."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

# In pointers. Python takes the next power of two, 512 KiB, and leaves half of it to the calls below: a hundred times
# what a page needs. Only memory that is used is really taken.
STACK = 33_000


def with_room(call: Callable[[Asked], Answer]) -> Callable[[Asked], Answer]:
    """Return a function that calls another one with room for all calls below it. Also middleware."""

    def roomy(asked: Asked) -> Answer:
        return call(asked)

    roomy.__code__ = roomy.__code__.replace(co_stacksize=STACK)
    return roomy
