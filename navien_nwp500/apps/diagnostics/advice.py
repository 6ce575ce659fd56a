"""Why a step on the way to a reading fails, and what to do about it.

One row a cause: the step (empty for any), and the kind of error, by its class or, for an answer of
REST, by its HTTP status (500 stands for all above). A row of the step wins over one of any step, then
the most particular kind.
"""

from __future__ import annotations

from typing import Iterator, Mapping, NamedTuple, Union

from ..._connection.transport import HandshakeRefusedError
from ...exceptions import (
    APIError,
    CommunicationError,
    ConfigurationError,
    DeviceError,
    DeviceOfflineError,
    InvalidCredentialsError,
    NaviLinkError,
    ProtocolError,
    RequestTimeoutError,
    TokenExpiredError,
)
from .network import (
    BlockedNameError,
    NoConnectionError,
    NoTlsError,
    OtherNameError,
    UnknownNameError,
    UntrustedError,
    WrongDateError,
)


class NoAccountError(ConfigurationError):
    """No e-mail or no password is configured."""


class WrongClockError(NaviLinkError):
    """This machine's clock and the cloud's differ by more than a signature allows."""


class NoHeaterError(DeviceError):
    """The account lists no NWP500, or not the one asked for, or several it may be."""


class SilentHeaterError(DeviceOfflineError):
    """The cloud sees the heater connected, and it does not answer."""


class NoRecordingError(ConfigurationError):
    """The file is not there, cannot be read, or is no recording."""


class EmptyRecordingError(NaviLinkError):
    """The recording holds no reading."""


class Remedy(NamedTuple):
    """The likely cause, and what to do."""

    why: str
    do: str


Kind = Union[type, int]

REMEDIES: Mapping[tuple[str, Kind], Remedy] = {
    ("", ConfigurationError): Remedy(
        "A setting holds something it may not hold.",
        "Correct it in the environment or in .env; .env.template shows every setting.",
    ),
    ("", NoAccountError): Remedy(
        "Nobody has signed in here, and NAVILINK_EMAIL and NAVILINK_PASSWORD are not both set.",
        "Sign in: navien-nwp500 login. Or copy .env.template to .env in this folder and fill in "
        "both, or use --simulate.",
    ),
    # Names and TLS
    ("", UnknownNameError): Remedy(
        "The machine is not on the internet, its DNS server is down, or the name is wrong.",
        "Open any web page from this machine. If that works, ask another DNS server, and unset "
        "NAVILINK_BASE_URL and NAVILINK_WEBSOCKET_URL unless you set them on purpose.",
    ),
    ("", BlockedNameError): Remedy(
        "A filter on your network (Pi-hole, AdGuard, the router) blocks the name.",
        "Allow naviensmartcontrol.com and amazonaws.com there.",
    ),
    ("", NoConnectionError): Remedy(
        "Nobody listens there, or a firewall turns the connection away.",
        "Allow outgoing TCP 443 for this machine. With the simulator: check that it still runs; "
        "its port changes with each start.",
    ),
    ("", NoTlsError): Remedy(
        "Something that does not speak TLS answers: a captive portal, a proxy, a wrong port.",
        "Sign in to the portal, or try from another network; check the address and the port.",
    ),
    ("", UntrustedError): Remedy(
        "Something on the way opens TLS (a proxy, an antivirus), NAVILINK_CA_FILE names other "
        "certificates, or the system's are old.",
        "Unset NAVILINK_CA_FILE unless you use the simulator; update the system's certificates; "
        "try from another network.",
    ),
    ("", OtherNameError): Remedy(
        "Another server answers in the place of the cloud: a captive portal, a changed DNS entry, "
        "or an address given by number.",
        "Sign in to the portal, use the names the library ships, or try from another network.",
    ),
    ("", WrongDateError): Remedy(
        "Most often this machine's clock is far off, as after a power cut.",
        "Set the clock: timedatectl set-ntp true, or the system's date settings.",
    ),
    ("", WrongClockError): Remedy(
        "AWS refuses a signature that is more than 5 minutes off, with a 403.",
        "Set the clock: timedatectl set-ntp true, or the system's date settings.",
    ),
    ("", RequestTimeoutError): Remedy(
        "The network is slow or drops packets, or the cloud is overloaded.",
        "Try again in a few minutes; if it stays so, try from another network.",
    ),
    ("", CommunicationError): Remedy(
        "The connection broke off before an answer came: the cloud restarts, or something on the "
        "way cuts connections.",
        "Try again in a few minutes; if it stays so, try from another network, without a VPN.",
    ),
    # REST
    ("", APIError): Remedy(
        "The cloud understood the call and refuses it.",
        "Try again later. If the NaviLink app works meanwhile, report this output.",
    ),
    ("", 403): Remedy(
        "The cloud does not allow this account the call, or a firewall in front of it does not.",
        "Check in the NaviLink app that the account still has its heater; without a VPN, try again.",
    ),
    ("", 429): Remedy(
        "Too many calls: this account or this network asks too often.",
        "Stop other programs that use the account, wait 15 minutes, and poll every 300 s or less "
        "often.",
    ),
    ("", 500): Remedy(
        "The cloud itself fails; your password has nothing to do with it.",
        "Wait; see whether the NaviLink app works.",
    ),
    ("", InvalidCredentialsError): Remedy(
        "The cloud refuses this e-mail or this password.",
        "Sign in to the NaviLink app with the same two, correct NAVILINK_EMAIL and "
        "NAVILINK_PASSWORD. In .env, put a password with # or spaces in single quotes.",
    ),
    ("", TokenExpiredError): Remedy(
        "The session was ended elsewhere: a new password, or a sign-out on every device.",
        "Sign in: navien-nwp500 login. If it stays so, sign out of the NaviLink app and in again.",
    ),
    ("", NoHeaterError): Remedy(
        "The account lists no NWP500, or not the one asked for, or several that it may be.",
        "See: navien-nwp500 devices. Use the account the heater was registered with, or have it "
        "shared in the NaviLink app; check --device and NAVILINK_DEVICE_MAC.",
    ),
    # The broker
    ("", HandshakeRefusedError): Remedy(
        "The broker refuses the signature (403), also with fresh keys: a wrong clock, keys ended "
        "before their time, a proxy that changes requests; or it takes nobody just now.",
        "If the clock step failed, set the clock. Else wait 15 minutes and try without a proxy "
        "or VPN.",
    ),
    ("CONNACK", CommunicationError): Remedy(
        "The broker hangs up, or stays silent, instead of welcoming us: a proxy that cannot carry "
        "WebSockets, too many connections of this account, or an overloaded broker.",
        "Try without a proxy or VPN; stop other programs that use the account; try again in a few "
        "minutes.",
    ),
    ("subscription", CommunicationError): Remedy(
        "The broker hangs up or stays silent when we ask to hear the heater's answers: the "
        "account may have lost the heater.",
        "Check in the NaviLink app that the account still has it; try again in a few minutes.",
    ),
    # The heater
    ("", DeviceOfflineError): Remedy(
        "The cloud has lost the heater: no power, no Wi-Fi, a new Wi-Fi password.",
        "Look at the Wi-Fi sign on its panel, restart the router, connect it anew in the app. "
        "Watchers carry on by themselves once it is back.",
    ),
    ("", SilentHeaterError): Remedy(
        "The cloud sees the heater connected, yet it does not answer: its Wi-Fi is weak, or the "
        "cloud has not noticed yet that it is gone.",
        "Wait 5 minutes and run it again; then restart the heater's Wi-Fi or the router. More "
        "than one program polling also makes it slow: poll every 300 s or less often.",
    ),
    ("", ProtocolError): Remedy(
        "An answer has a form this version does not know: a new firmware, or a damaged message.",
        "Run it again; if it stays so, update the library, then report this output.",
    ),
    # The recording
    ("", NoRecordingError): Remedy(
        "The file is not there, may not be read, or is not a recording of the monitor.",
        "Check the folder and the name given to monitor --csv.",
    ),
    ("", EmptyRecordingError): Remedy(
        "The monitor has opened the file and never got a status.",
        "If a step above failed, heal that first. Else let the monitor run: the first line comes "
        "with the first answer, the next ones every 300 s.",
    ),
    ("", NaviLinkError): Remedy(
        "This has no usual cause.",
        "Run it again with NAVILINK_LOG_LEVEL=DEBUG and report this output.",
    ),
}


def explain(step: str, error: NaviLinkError) -> Remedy:
    """The row that fits an error met at a step."""
    kinds = list(_kinds(error))
    return next(
        REMEDIES[place, kind] for place in (step, "") for kind in kinds if (place, kind) in REMEDIES
    )


def _kinds(error: NaviLinkError) -> Iterator[Kind]:
    if isinstance(error, APIError):
        yield from (429,) if 429 in (error.status_code, error.code) else ()
        yield 500 if error.status_code >= 500 or (error.code or 0) >= 500 else error.status_code
    yield from type(error).__mro__
