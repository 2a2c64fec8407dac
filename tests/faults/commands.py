"""Runs commands of manage.py one after the other in one process: to start one for each takes longer than most of them.

Reads a line of JSON, the words of a command; answers with one, the code it ends with and what it prints."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import traceback


def run(words: list[str]) -> tuple[int, str]:
    """Run a command as manage.py does; return the code it ends with and what it prints."""
    import manage

    sys.argv = ["manage.py", *words]
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            manage.main()
        except SystemExit as end:
            if isinstance(end.code, str):
                said.write(end.code)
                return 1, said.getvalue()
            return end.code or 0, said.getvalue()
        except Exception:  # noqa: BLE001 (a process of its own would end with this)
            traceback.print_exc()
            return 1, said.getvalue()
    return 0, said.getvalue()


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what is printed past Python does not become an answer
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
