"""The files of a table's log: what each must say to be whole, and a second copy of the newest ones."""

import json
from pathlib import Path
from typing import Any, Final

from opswm.store.durable_files import make_folder, replace_file

_COPIES: Final = "commits"
_NUM_COPIES: Final = 64


def described(what: str, num_actions: int, num_transactions: int) -> str:
    """Return what a commit says about itself, so that a part of it is not taken for the whole.

    Args:
        what: Why it was made.
        num_actions: How many parts it takes in or out.
        num_transactions: How many application transactions it carries.
    """
    return json.dumps({"opswm": what, "num_actions": num_actions, "num_transactions": num_transactions})


def commit_problem(file: Path) -> str | None:
    """Return what is wrong with the file of a commit, None where it is whole."""
    try:
        actions = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except FileNotFoundError:
        return f"{file} is missing"
    except (OSError, ValueError) as problem:
        return f"{file} cannot be read: {problem}"
    if not actions or not all(isinstance(action, dict) for action in actions):
        return f"{file} is empty"
    told = _told(actions)
    if told is None:
        return None
    num_actions = sum("add" in action or "remove" in action for action in actions)
    num_transactions = sum("txn" in action for action in actions)
    if (num_actions, num_transactions) != (told["num_actions"], told["num_transactions"]):
        return f"{file} is cut off: it has {num_actions} of {told['num_actions']} actions"
    return None


def keep_copy(own_folder: Path, file: Path) -> None:
    """Keep a second copy of a commit for a while; it is on disk when this returns.

    Raises:
        OSError: When it cannot be written.
    """
    folder = own_folder / _COPIES
    make_folder(folder)
    replace_file(folder / file.name, file.read_bytes())
    old = int(file.stem) - _NUM_COPIES
    if old >= 0:
        (folder / f"{old:020d}.json").unlink(missing_ok=True)


def copies(own_folder: Path) -> dict[int, Path]:
    """Return the copies that are whole, by version."""
    found = sorted((own_folder / _COPIES).glob("*.json"))
    return {int(file.stem): file for file in found if file.stem.isdigit() and commit_problem(file) is None}


def _told(actions: list[dict[str, Any]]) -> dict[str, Any] | None:
    for action in actions:
        text = action.get("commitInfo", {}).get("userMetadata")
        if text is not None:
            told: dict[str, Any] = json.loads(text)
            return told if "num_transactions" in told else None
    return None
