"""How often the band of a forecast without a history holds, in households that go on drawing.

Four households, each with other heaters (setpoint, air, cold water, and a heat pump that is 12 %
faster or slower); recoveries that begin by themselves, and some that a person starts at any hour. The
figures of the prior were chosen by seeds below 100.

    PYTHONPATH=.:tests python tests/stress/forecast_coverage.py --first 100 --seeds 8
"""

from __future__ import annotations

import argparse
from functools import partial
from itertools import chain
from multiprocessing import Pool
from random import Random
from typing import Iterable

from support.household_recoveries import (
    HEADER,
    HOUSEHOLDS,
    Forecasted,
    Recovery,
    asked_recovery,
    figures,
    own_recoveries,
    quiet_recovery,
)

DAYS = 5
#: Recoveries that a person starts, for each seed.
ASKED = 6
GROUPS = (0, 30, 60, 120, 180, 240, 1440)


def own(name: str, seed: int) -> list[Recovery]:
    """Return the recoveries of some days."""
    return list(own_recoveries(seed, HOUSEHOLDS[name], DAYS))


def asked(name: str, seed: int) -> list[Recovery]:
    """Return recoveries of a household that a person starts."""
    found = (asked_recovery(1000 * seed + one, HOUSEHOLDS[name]) for one in range(1000))
    return [one for one, _ in zip((each for each in found if each), range(ASKED))]


def quiet(seed: int) -> list[Recovery]:
    """Return recoveries at night without a draw."""
    return [quiet_recovery(1000 * seed + one) for one in range(ASKED)]


def in_runs(recoveries: Iterable[Recovery]) -> list[Forecasted]:
    """Return one forecast of each recovery, at some moment of its run."""
    random = Random(1)
    return [one for each in recoveries for one in each.later(random.uniform(0, each.end - 5))]


def report(name: str, recoveries: list[Recovery], everything: list[Forecasted]) -> None:
    """Print the figures of one group of recoveries."""
    starts, runs = [one for each in recoveries for one in each.start()], in_runs(recoveries)
    print(figures(f"{name}, before the start", starts))
    print(figures(f"{name}, in the run", runs))
    everything += [*starts, *runs]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--first", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=8)
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)
    everything: list[Forecasted] = []
    print(HEADER)
    with Pool(2) as pool:
        for kind in (own, asked):
            for name in HOUSEHOLDS:
                found = list(chain.from_iterable(pool.map(partial(kind, name), seeds)))
                report(f"{name}, {kind.__name__}", found, everything)
        print(figures("all households", everything))
        report("quiet", list(chain.from_iterable(pool.map(quiet, seeds))), [])
    for least, most in zip(GROUPS, GROUPS[1:]):
        part = [one for one in everything if least < one.true <= most]
        print(figures(f"took {least} to {most} min", part))


if __name__ == "__main__":
    main()
