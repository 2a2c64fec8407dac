"""`.ci/run` succeeds if all of its commands do, and fails if one of them fails."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# What the script looks for on the machine, and what it would install that with.
FOUND = ["apt-get", "cc", "chromium-headless-shell", "nginx", "node", "npm", "openssl", "pdftotext", "redis-server"]
MAKE = """#!/bin/sh
echo "make $*" >>"$CALLED"
case "$*" in *"$FAILING"*) [ -z "$FAILING" ] || exit 3 ;; esac
"""


def run(folder: Path, *, failing: str = "") -> tuple[int, list[str]]:
    """The exit status of `.ci/run`, and its calls of make, where a call that contains `failing` fails."""
    programs = folder / "bin"
    programs.mkdir()
    for name in (*FOUND, "make"):
        program = programs / name
        program.write_text(MAKE if name == "make" else "#!/bin/sh\n")
        program.chmod(0o755)
    called = folder / "called"
    environment = os.environ | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "TMPDIR": str(folder),
        "CALLED": str(called),
        "FAILING": failing,
    }
    result = subprocess.run(["bash", ROOT / ".ci/run"], env=environment, capture_output=True, timeout=60, check=False)
    assert {path.name for path in folder.iterdir()} == {"bin", "called"}
    return result.returncode, called.read_text().splitlines()


pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 and not Path("/usr/include/stdlib.h").exists(), reason="needs the headers of a C compiler"
)


def test_it_succeeds_if_all_commands_do(tmp_path):
    status, calls = run(tmp_path)
    assert status == 0
    assert {call.split()[1] for call in calls} >= {"lint", "receivers", "test-all", "test-deploy", "test-faults"}


@pytest.mark.parametrize(
    "failing",
    [
        "installed-dev",
        "receivers",
        "lint",
        "test-deploy",
        "--ignore=tests/faults",
        "ARGS=tests/faults/",
        "--ignore=tests/access",
    ],
)
def test_it_fails_if_a_command_fails(tmp_path, failing):
    status, calls = run(tmp_path, failing=failing)
    assert status != 0
    assert any(failing in call for call in calls)
