"""Variables ``NAVILINK_…``: the environment, which has priority, and a ``.env`` file.

Neither is changed.
"""

from __future__ import annotations

import difflib
import io
import logging
import os
import re
from pathlib import Path
from typing import Iterator, Mapping

from ..exceptions import ConfigurationError
from .settings import SETTINGS

_LOGGER = logging.getLogger("navien_nwp500.config")
#: Other libraries read them too, so they count for the whole process, and not from a file.
_PROXY_VARIABLES = ("HTTPS_PROXY", "NO_PROXY")
_BAD_LINE = "not understood and ignored; it must be NAME=value, with quotes that are closed"
#: Warnings that this process has logged.
_LOGGED: set[str] = set()


def read_environment(env_file: str | Path | None = None) -> Mapping[str, str | None]:
    """Return the variables of the ``.env`` file and the environment, which has priority if set."""
    nonempty = {name: value for name, value in os.environ.items() if value}
    return {**_read_env_file(env_file), **nonempty}


def find_ignored_variables(values: Mapping[str, str | None]) -> Iterator[str]:
    """Yield a warning for each ``NAVILINK_…`` variable that does not exist, or has no ``=``."""
    known = {setting.variable for setting in SETTINGS}
    for key, value in values.items():
        # Only the name: in a line such as NAVILINK_PASSWORD:secret the key contains the value.
        name = re.match(r"\W*(navilink\w*)", key, re.IGNORECASE | re.ASCII)
        if name is None or (key in known and value is not None):
            continue
        if name[1] in known:
            yield f"a line of .env is ignored: it must begin with {name[1]}="
            continue
        suffixes = sorted(variable[len("NAVILINK_") :] for variable in known)
        suffix = name[1].upper()[len("NAVILINK") :].strip("_")
        nearest = [one for one in suffixes if suffix and suffix in one]
        nearest = nearest or difflib.get_close_matches(suffix, suffixes, 1, 0.5)
        advice = f"did you mean NAVILINK_{nearest[0]}?" if nearest else "see .env.template"
        yield f"{name[1]} is not a setting and is ignored; {advice}"


def _read_env_file(env_file: str | Path | None) -> Mapping[str, str | None]:
    from dotenv import find_dotenv
    from dotenv.parser import parse_stream

    try:
        path = find_dotenv(usecwd=True) if env_file is None else str(env_file)
    except FileNotFoundError:  # the working folder was removed
        path = ""
    if env_file is not None and not Path(path).is_file():
        raise ConfigurationError(f"env_file is {path!r}; it must be the path of a readable file")
    if not path:
        return {}
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read ({error.strerror}); correct its owner or permissions"
        ) from error
    # utf-8-sig: python-dotenv before 1.2 makes a byte order mark a part of the first name.
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:  # as in UTF-16; raised here, as a UnicodeDecodeError contains the whole file
        raise ConfigurationError(f"{path} is not UTF-8 text; save it with this encoding")
    values: dict[str, str | None] = {}
    # Not dotenv_values: it would replace ${NAME}, which a password may contain, and log what it does
    # not understand without the name of the file.
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            warn_once(f"{path}, line {binding.original.line}: {_BAD_LINE}")
        elif binding.key is not None:
            values[binding.key] = binding.value
            if binding.key.upper() in _PROXY_VARIABLES and binding.key not in os.environ:
                warn_once(f"{path}: {binding.key} is ignored; set it in the environment itself")
    return values


def warn_once(warning: str) -> None:
    """Log a warning, unless this process has logged it before."""
    if warning not in _LOGGED:
        _LOGGED.add(warning)
        _LOGGER.warning("%s", warning)
