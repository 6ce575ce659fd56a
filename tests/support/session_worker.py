"""A process that shares a session file: each line it reads is one command-line run.

It prints "ok", or the error. Several workers get their lines at the same time, so that their runs meet
as those of commands do, without starting an interpreter for each.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from navien_nwp500 import NaviLinkAuth, NaviLinkConfig, NaviLinkError


async def run_once(config: NaviLinkConfig) -> str:
    auth = NaviLinkAuth(config)
    try:
        await auth.call(
            "POST", "/device/list", body={"userId": auth.user_id, "offset": 0, "count": 20}
        )
        return "ok"
    except NaviLinkError as error:
        return f"{type(error).__name__}: {error}"
    finally:
        await auth.close()


if __name__ == "__main__":
    config = NaviLinkConfig.from_environment(session_file=Path(sys.argv[1]))
    for _ in sys.stdin:
        print(asyncio.run(run_once(config)), flush=True)
