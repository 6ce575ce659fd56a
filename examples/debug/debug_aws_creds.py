"""Check the steps up to the AWS credentials: python examples/debug/debug_aws_creds.py [--simulate]

Shows whether sign-in works and how long the credentials are valid, never the credentials.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack

from navien_nwp500.apps.diagnostics import diagnose


async def main() -> int:
    async with AsyncExitStack() as stack:
        config = None
        if "--simulate" in sys.argv:
            from navien_nwp500.simulator import Simulator

            config = (await stack.enter_async_context(Simulator(speed=600))).config
        failures = 0
        async for finding in diagnose(config, until="AWS keys"):
            print(f"{finding.state.value:9}  {finding.step:13}  {finding.fact}")
            if finding.error is not None:
                failures += 1
                print(f"           {finding.why}\n           {finding.do}")
        return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
