"""What a process of ours logs: one JSON object a line, with secrets taken out, whoever logs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECRET = "canary-secret-4711-quite-long"
PROGRAM = f"""
import django
django.setup()
import logging
import structlog
from foundation.secrets.redaction import register_secret

def fail(key):
    raise RuntimeError("refused with " + key)

register_secret("{SECRET}")
structlog.get_logger("ours").info("asked", password="hunter2", address="{SECRET}", half=chr(0xD800))
logging.getLogger("theirs").warning("sent %s", "{SECRET}")
logging.getLogger("theirs").debug("not worth a line")
for log in (structlog.get_logger("ours"), logging.getLogger("theirs")):
    try:
        fail("{SECRET}")
    except RuntimeError:
        log.exception("failed")
"""


def test_every_line_is_json_without_secrets(database_urls: dict[str, str]):
    environment = {
        **database_urls,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONPATH": f"{ROOT}:{ROOT}/platform",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, env=os.environ | environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert SECRET not in done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["logger"], line["level"], line["event"]) for line in lines] == [
        ("ours", "info", "asked"),
        ("theirs", "warning", "sent [secret]"),
        ("ours", "error", "failed"),
        ("theirs", "error", "failed"),
    ]
    assert lines[0]["password"] == lines[0]["address"] == "[secret]"
    assert all("RuntimeError: refused with [secret]" in line["exception"] for line in lines[2:])
