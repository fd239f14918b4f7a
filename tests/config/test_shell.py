"""The commands of manage.py, as whole processes: what cannot be done is one line, and nothing is half done."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOWHERE = "postgresql://nobody@127.0.0.1:1/remit"
DATABASES = {f"DATABASE_{role}URL": NOWHERE for role in ("", "OWNER_", "ENGINE_", "SYSTEM_")}
POOL = {"REMIT_POOL_SIZE": "17"}  # as where the web's environment is that of the shell
COMMANDS = (
    ["verify_record"],
    ["rotate_token_keys", "--forget-former"],
    ["rotate_sealing_key"],
    ["rotate_sealing_key", "--drop-former"],
    ["create_api_key", "--email", "a@example.org"],
    ["sign_in_link", "--first-administrator"],
)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_without_a_database_a_command_says_so_and_changes_no_key(command: list[str], tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "manage.py", *command],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | DATABASES | POOL | {"BROKER_URL": NOWHERE, "REMIT_DATA_DIR": str(tmp_path)},
    )
    assert answer.stderr.startswith("CommandError: The database cannot be reached: start Remit with `manage.py up`")
    assert (answer.returncode, answer.stdout, answer.stderr.splitlines()[1:]) == (1, "", [])
    assert not list(tmp_path.glob("keys/token.key"))
    assert not list(tmp_path.glob("keys/sealing.key"))
