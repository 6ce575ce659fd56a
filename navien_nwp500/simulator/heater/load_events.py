"""The order in which the heater switches after a change of demand, and the code of each push."""

from __future__ import annotations

from ...protocol.messages import DEMAND_CHANGED, LOAD_SWITCHED, OPERATION_MODE_CHANGED
from ...protocol.types import OperationMode
from .demand import Demand
from .heat_pump import HeatPump
from .status_builder import Operation


class LoadEvents:
    """Lead what runs to what is wanted, one change and one push at a time."""

    def __init__(self, demand: Demand, operation: Operation, heat_pump: HeatPump) -> None:
        self._demand = demand
        self._operation = operation
        self._heat_pump = heat_pump

    @property
    def waits(self) -> bool:
        """Whether something is wanted that is not yet so."""
        operation, demand = self._operation, self._demand
        if operation.source != demand.source or operation.mode != 32 * demand.source:
            return True
        loads = (operation.upper_element, operation.lower_element)
        return loads != (demand.upper_element, demand.lower_element)

    def next_link(self) -> int:
        """Do the next change of the chain of PROTOCOL 9.2 to 9.5 and name its event code."""
        operation, demand = self._operation, self._demand
        if operation.source != demand.source:
            operation.source = demand.source
            return DEMAND_CHANGED
        target = 32 * demand.source
        if operation.mode != target:
            kept = operation.mode & target
            if operation.mode == kept:
                kept |= 32 if target & ~kept & 32 else 64
            operation.mode = OperationMode(kept)
            self._heat_pump.call(bool(kept & 32))
            return OPERATION_MODE_CHANGED
        operation.upper_element = demand.upper_element
        operation.lower_element = demand.lower_element
        return LOAD_SWITCHED
