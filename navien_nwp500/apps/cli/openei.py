"""Look up rates in OpenEI's utility rate database, with the owner's key."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta, timezone
from typing import Any, Mapping, Sequence

from ..._util.network_errors import explain_error
from ..._util.text import clean_text, comparable
from ...analysis.prices.openei_rates import rates_of
from ...analysis.prices.tariff_files import MAX_BYTES
from ...config import read_environment
from ...exceptions import CommunicationError, ConfigurationError

URL = "https://api.openei.org/utility_rates"
KEY = "OPENEI_API_KEY"
#: The most that OpenEI returns at once.
MOST_RATES = 500
_SECONDS = 60.0


def openei_key() -> str:
    """Return the owner's key of the environment or the ``.env`` file. Raises ConfigurationError."""
    key = (read_environment().get(KEY) or "").strip()
    if not key:
        raise ConfigurationError(
            f"looking up rates needs a key of OpenEI, free of charge at "
            f"https://openei.org/services/api/signup; put it into the environment or .env as {KEY}"
        )
    return key


async def fetch_rates(key: str, zip_code: str) -> list[Mapping[str, Any]]:
    """Fetch the rates for homes at a ZIP code, as OpenEI stores them; it may know none.

    Raises CommunicationError, ConfigurationError when the key is rejected. No error holds the key.
    """
    query = {
        "version": "7",
        "format": "json",
        "api_key": key,
        "address": zip_code,
        "sector": "Residential",
        "approved": "true",
        "detail": "full",
        "limit": str(MOST_RATES),
    }
    body = await _get(query)
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise CommunicationError("OpenEI's answer is not JSON; try again later") from None
    error = content.get("error") or content.get("errors") if isinstance(content, dict) else None
    if error:
        message = error.get("message", error) if isinstance(error, dict) else error
        text = clean_text(str(message))[:200].replace(key, "***")
        raise CommunicationError(f"OpenEI answers: {text}")
    # Where no rate is known, the list may be missing.
    items = content.get("items", []) if isinstance(content, dict) else None
    if not isinstance(items, list):
        raise CommunicationError("OpenEI's answer has no list of rates; try again later")
    return rates_of(items)


async def _get(query: Mapping[str, str]) -> bytes:
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session:
            # A redirect would send the key to another host.
            async with session.get(URL, params=query, allow_redirects=False) as response:
                _check_status(response.status)
                body = await response.content.read(MAX_BYTES + 1)
                while len(body) <= MAX_BYTES and (more := await response.content.read(2**16)):
                    body += more
    except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
        # The texts of these errors may contain the URL, and it contains the key.
        reason = explain_error(error) or "the connection failed"
        raise CommunicationError(f"OpenEI cannot be reached: {reason}") from None
    if len(body) > MAX_BYTES:
        raise CommunicationError(f"OpenEI's answer is larger than {MAX_BYTES // 2**20} MB")
    return body


def _check_status(status: int) -> None:
    if status in (401, 403):
        raise ConfigurationError(f"OpenEI rejects the key in {KEY}; check it")
    if status == 429:
        raise CommunicationError("OpenEI allows no more requests for now; try again in an hour")
    if status != 200:
        raise CommunicationError(f"OpenEI answers with HTTP status {status}; try again later")


def known_rates(rates: Sequence[Mapping[str, Any]], utility: str | None) -> list[Mapping[str, Any]]:
    """Return the rates that no other one replaces, of utilities with such a name."""
    replaced = {str(rate.get("supersedes")) for rate in rates}
    found = [
        rate
        for rate in rates
        if (utility is None or comparable(utility) in comparable(str(rate.get("utility"))))
        and str(rate.get("label")) not in replaced
    ]
    return sorted(found, key=lambda rate: (str(rate.get("utility")), str(rate.get("name"))))


def ended_text(rate: Mapping[str, Any], now: datetime) -> str | None:
    """Return since when a rate is no longer valid, for people; None while it is."""
    end = _date(rate.get("enddate"))
    if end is None or end >= now:
        return None
    years = (now - end).days // 365
    age = "less than a year" if years < 1 else f"{years} year{'s' if years > 1 else ''}"
    return f"ended {end:%Y-%m-%d}, {age} ago"


def validity_text(rate: Mapping[str, Any], now: datetime) -> str:
    """Return since when a rate is valid, or that it has ended, in brackets; empty if unknown."""
    ended, start = ended_text(rate, now), _date(rate.get("startdate"))
    if ended is not None:
        return f"  ({ended})"
    return "" if start is None else f"  (since {start:%Y-%m-%d})"


def _date(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e11:
        return None
    return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=value)
