"""Async client for Navien NWP500 heat pump water heaters over the NaviLink cloud.

Each name is loaded on first use, so a program that only decodes stored messages does not load
asyncio.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._util.version import __version__ as __version__

if TYPE_CHECKING:
    # ruff: noqa: F403
    from .analysis.hot_water import *
    from .auth import *
    from .client import *
    from .config import *
    from .device import *
    from .exceptions import *
    from .history.alerts import *
    from .history.csv import *
    from .models import *
    from .mqtt import *

else:  # a type checker would accept any name as an attribute
    #: Modules with public names, in search order: those that load quickly come first.
    _MODULES = (
        *("exceptions", "config", "models", "analysis.hot_water", "history.csv", "history.alerts"),
        *("auth", "mqtt", "device", "client"),
    )

    def _public_names(module: Any) -> "list[str]":
        """Return the ``__all__`` of a module, or the names of this package that it defines."""
        defined = (
            name
            for name, value in vars(module).items()
            if name[0].isalpha()  # pytest adds names of its own
            and getattr(value, "__module__", __name__).startswith(__name__)
        )
        return getattr(module, "__all__", None) or list(defined)

    def __getattr__(name: str) -> Any:
        """Load a public name, or the module of that name, when it is first used (PEP 562)."""
        if name == "__all__":
            modules = [import_module(f".{module}", __name__) for module in _MODULES]
            return sorted({"__version__", *(one for mod in modules for one in _public_names(mod))})
        if name.startswith("_"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if name in _MODULES:
            return import_module(f".{name}", __name__)
        for module in _MODULES:
            found = import_module(f".{module}", __name__)
            if name in _public_names(found):
                globals()[name] = value = getattr(found, name)
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> "list[str]":
        return sorted({*globals(), *__getattr__("__all__")})
