"""The computer sleeps or shuts down when the queue is done: by the system's own commands."""

from __future__ import annotations

import subprocess
import sys

WITHIN_S = 30.0  # the command answers, or it is said that it does not

COMMANDS: dict[str, dict[str, list[str]]] = {
    "linux": {"sleep": ["systemctl", "suspend"], "shutdown": ["systemctl", "poweroff"]},
    "win32": {
        "sleep": ["rundll32.exe", "powrprof.dll,SetSuspendState", "0,1,0"],
        "shutdown": ["shutdown", "/s", "/t", "0"],
    },
    "darwin": {
        "sleep": ["pmset", "sleepnow"],
        "shutdown": ["osascript", "-e", 'tell application "System Events" to shut down'],
    },
}


def carry_out(what: str, commands: dict[str, list[str]] | None = None) -> str:
    """Sleep or shut down. Why it was not done, in the system's words; "" if it was."""
    command = (commands or COMMANDS.get(sys.platform, COMMANDS["linux"])).get(what, [])
    if not command:
        return ""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=WITHIN_S,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "" if what == "sleep" else f"{command[0]} does not answer"  # who sleeps answers late
    except OSError as error:
        return error.strerror or str(error)
    said = done.stderr.strip() or done.stdout.strip() or f"{command[0]}: {done.returncode}"
    return "" if done.returncode == 0 else said.splitlines()[-1]
