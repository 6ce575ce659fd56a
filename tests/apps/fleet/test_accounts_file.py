"""The file with the accounts of a fleet."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from navien_nwp500 import ConfigurationError
from navien_nwp500.apps.fleet.accounts_file import SLOTS, AccountsFile, FleetAccount, read_accounts

ONE = {"email": "one@example.com", "password_env": "ONE"}


def write(path: Path, *accounts: Any) -> Path:
    path.write_text(json.dumps({"accounts": accounts}), "utf-8")
    return path


def test_a_password_comes_from_a_variable_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("from file\n", "utf-8")
    other = {"email": "two@example.com", "password_file": "secret"}
    one, two = read_accounts(write(tmp_path / "fleet.json", ONE, other))
    monkeypatch.setenv("ONE", "from variable")
    assert (one.password(), two.password()) == ("from variable", "from file")
    monkeypatch.delenv("ONE")
    (tmp_path / "secret").unlink()
    for account, named in ((one, "ONE"), (two, "secret")):
        with pytest.raises(ConfigurationError, match=named):
            account.password()


@pytest.mark.parametrize(
    ("account", "sentence"),
    [
        ({**ONE, "password": "plain"}, "not allowed"),
        ({"email": "one@example.com"}, "needs"),
        ({**ONE, "password_file": "x"}, "one of both"),
        ({"password_env": "ONE"}, "email"),
        ({**ONE, "email": "a\nb"}, "email"),
        ({**ONE, "pasword_env": "x"}, "pasword_env"),
        ([], "object"),
    ],
)
def test_a_wrong_entry_is_named_without_its_secret(
    tmp_path: Path, account: Any, sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        read_accounts(write(tmp_path / "fleet.json", {**ONE, "email": "x@example.com"}, account))
    assert "account 2" in str(caught.value) and "plain" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"accounts": 1}', "[" * 100_000, "\x00\xff"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "fleet.json"
    path.write_text(text, "latin-1")
    with pytest.raises(ConfigurationError, match="fleet.json"):
        read_accounts(path)


def test_an_account_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="account 2 is there twice"):
        read_accounts(write(tmp_path / "fleet.json", ONE, {**ONE, "email": "ONE@example.com"}))


def test_a_change_is_read_and_a_broken_one_keeps_the_accounts(tmp_path: Path) -> None:
    path = write(tmp_path / "fleet.json", ONE)
    accounts = AccountsFile(path)
    assert accounts.changed() and not accounts.changed()
    path.write_text("{", "utf-8")
    with pytest.raises(ConfigurationError):
        accounts.changed()
    assert not accounts.changed(), "said once"
    assert [one.email for one in accounts.accounts] == ["one@example.com"]
    replacement = write(tmp_path / "new", ONE, {**ONE, "email": "two@example.com"})
    os.replace(replacement, path)
    assert accounts.changed() and len(accounts.accounts) == 2
    path.unlink()
    with pytest.raises(ConfigurationError, match="fleet.json"):
        accounts.changed()
    assert not accounts.changed() and len(accounts.accounts) == 2


def test_slots_are_the_same_everywhere_and_evenly_used() -> None:
    # Another program, or a later version, must get the same.
    assert (
        FleetAccount("one@example.com").slot == FleetAccount("ONE@Example.com").slot == SLOT_OF_ONE
    )
    counts = [0] * SLOTS
    for number in range(10_000):
        counts[FleetAccount(f"user{number}@example.com").slot] += 1
    assert 100 < min(counts) and max(counts) < 220


#: crc32 of "one@example.com" is 2,028,043,992 by gzip; its remainder by 64 is 24.
SLOT_OF_ONE = 24
