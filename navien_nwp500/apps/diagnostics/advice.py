"""Likely causes of a failed step, and what to do about it.

``ADVICE`` is keyed by step (empty for any) and kind of error: its class or, for a REST response,
its HTTP status (500 stands for all above). An entry for the step has priority, then the most
specific kind.
"""

from __future__ import annotations

from typing import Iterator, Mapping, NamedTuple, Union

from ..._connection.rest_client import RedirectedError
from ..._connection.transport import HandshakeRefusedError, SubscriptionRefusedError
from ...exceptions import (
    APIError,
    CommunicationError,
    ConfigurationError,
    DeviceError,
    DeviceOfflineError,
    HistoryError,
    InvalidCredentialsError,
    MaintenanceError,
    NaviLinkError,
    ProtocolError,
    RequestTimeoutError,
    TokenExpiredError,
    UnsupportedDeviceError,
)
from .network import (
    BlockedNameError,
    NoConnectionError,
    NoTlsError,
    OtherNameError,
    ProxyError,
    UnknownNameError,
    UntrustedError,
    WrongDateError,
)


class NoAccountError(ConfigurationError):
    """No e-mail or no password is configured."""


class WrongClockError(NaviLinkError):
    """Clocks of this machine and of the cloud that differ by more than a signature allows."""


class NoHeaterError(DeviceError):
    """The account has no NWP500, or not the requested one, or several that match."""


class OtherDevicesError(UnsupportedDeviceError):
    """The account has no NWP500 but other devices, or the requested one is of another type."""


class UnresponsiveHeaterError(DeviceOfflineError):
    """The heater is connected to the cloud but does not respond."""


class NoRecordingError(ConfigurationError):
    """The file does not exist, cannot be read, or is not a recording."""


class EmptyRecordingError(NaviLinkError):
    """The recording contains no status."""


class NoDatabaseError(ConfigurationError):
    """The history database does not exist, or is that of another program."""


class NewerDatabaseError(ConfigurationError):
    """A newer version of this program made the history database."""


class NoPackageError(ConfigurationError):
    """A package that the history database needs is not installed."""


class NetworkDatabaseError(HistoryError):
    """The file of the history is on a network file system."""


class ForbiddenDatabaseError(HistoryError):
    """The file of the history, or its folder, is not for this user."""


class UnreachableDatabaseError(HistoryError):
    """The history database cannot be opened or read."""


class Advice(NamedTuple):
    """Likely cause of an error, and what to do."""

    cause: str
    action: str


Kind = Union[type, int]

ADVICE: Mapping[tuple[str, Kind], Advice] = {
    ("", ConfigurationError): Advice(
        "A setting has a value that is not allowed.",
        "Correct it in the environment or in .env; .env.template shows every setting.",
    ),
    ("", NoAccountError): Advice(
        "There is no saved session, and NAVILINK_EMAIL and NAVILINK_PASSWORD are not both set.",
        "Sign in: navien-nwp500 login. Or copy .env.template to .env in this folder and fill in "
        "both, or use --simulate.",
    ),
    # Names and TLS
    ("", UnknownNameError): Advice(
        "The machine is not on the internet, its DNS server is down, or the name is wrong.",
        "Open any web page from this machine. If that works, use another DNS server, and unset "
        "NAVILINK_BASE_URL and NAVILINK_WEBSOCKET_URL unless you set them on purpose.",
    ),
    ("", BlockedNameError): Advice(
        "A filter on your network (Pi-hole, AdGuard, the router) blocks the name.",
        "Allow naviensmartcontrol.com and amazonaws.com in it.",
    ),
    ("", NoConnectionError): Advice(
        "No server listens on this port, or a firewall rejects the connection.",
        "Allow outgoing TCP 443 for this machine. With the simulator: check that it still runs; "
        "its port changes with each start.",
    ),
    ("", ProxyError): Advice(
        "The variable HTTPS_PROXY, or the system, names a proxy. It does not run, does not accept the "
        "user and password, or does not allow the cloud.",
        "Correct HTTPS_PROXY: http://user:password@host:port. Let the proxy allow "
        "naviensmartcontrol.com and amazonaws.com, port 443. Where no proxy is needed, unset it or "
        "name both in NO_PROXY.",
    ),
    ("", NoTlsError): Advice(
        "The server does not use TLS: a captive portal, a proxy, a wrong port.",
        "Sign in to the portal, or try from another network; check the address and the port.",
    ),
    ("", UntrustedError): Advice(
        "A proxy or an antivirus intercepts TLS, NAVILINK_CA_FILE names other certificates, or the "
        "system's certificates are old.",
        "Unset NAVILINK_CA_FILE unless you use the simulator; update the system's certificates; "
        "try from another network.",
    ),
    ("", OtherNameError): Advice(
        "Another server responds instead of the cloud: a captive portal, a changed DNS entry, or a "
        "numeric address in the settings.",
        "Sign in to the portal, use the library's default URLs, or try from another network.",
    ),
    ("", WrongDateError): Advice(
        "Usually this machine's clock is far off, for example after a power cut.",
        "Set the clock: timedatectl set-ntp true, or the system's date settings.",
    ),
    ("", WrongClockError): Advice(
        "AWS rejects a signature that is more than 5 minutes off, with a 403.",
        "Set the clock: timedatectl set-ntp true, or the system's date settings.",
    ),
    ("", RequestTimeoutError): Advice(
        "The network is slow or drops packets, or the cloud is overloaded.",
        "Try again in a few minutes; if it still fails, try from another network.",
    ),
    ("", CommunicationError): Advice(
        "The connection was closed before a response came: the cloud restarts, or a proxy or "
        "firewall closes connections.",
        "Try again in a few minutes; if it still fails, try from another network, without a VPN.",
    ),
    # REST
    ("", RedirectedError): Advice(
        "The server redirects to another address: a proxy, a captive portal, or a wrong "
        "NAVILINK_BASE_URL. The password is not sent there.",
        "Unset NAVILINK_BASE_URL unless you set it on purpose; sign in to the portal, or try from "
        "another network.",
    ),
    ("", APIError): Advice(
        "The cloud understood the request and rejects it.",
        "Try again later. If the NaviLink app works meanwhile, report this output.",
    ),
    ("", MaintenanceError): Advice(
        "The maker works on the cloud; the NaviLink app shows the same notice.",
        "Wait until it is over. Running programs continue by themselves.",
    ),
    ("", 403): Advice(
        "The cloud, or a firewall in front of it, does not allow this request to the account.",
        "Check in the NaviLink app that the account still has its heater; try again without a VPN.",
    ),
    ("", 429): Advice(
        "Too many requests from this account or this network.",
        "Stop other programs that use the account, wait 15 minutes, and poll every 300 s or less "
        "often.",
    ),
    ("", 500): Advice(
        "The cloud itself has a problem; your password is not the reason.",
        "Wait; check whether the NaviLink app works.",
    ),
    ("", InvalidCredentialsError): Advice(
        "The cloud rejects this e-mail or this password.",
        "Sign in to the NaviLink app with the same two, correct NAVILINK_EMAIL and "
        "NAVILINK_PASSWORD. In .env, put a password with # or spaces in single quotes.",
    ),
    ("", TokenExpiredError): Advice(
        "The session was ended elsewhere: a new password, or a sign-out on all devices.",
        "Sign in: navien-nwp500 login. If it still fails, sign out of the NaviLink app and in again.",
    ),
    ("", NoHeaterError): Advice(
        "The account has no NWP500, or not the requested one, or several that match.",
        "List them: navien-nwp500 devices. Use the account the heater was registered with, or have it "
        "shared in the NaviLink app; check --device and NAVILINK_DEVICE_MAC.",
    ),
    ("", UnsupportedDeviceError): Advice(
        "The account has this device, but it is no NWP500. The same command numbers mean something "
        "else to it, so this program sends it nothing.",
        "Use the NaviLink app for it. For an NWP500, use the account it was registered with.",
    ),
    # The broker
    ("", HandshakeRefusedError): Advice(
        "The broker rejects the signature (403), also with new credentials: a wrong clock, "
        "credentials that expired early, a proxy that changes requests; or it accepts no "
        "connections at the moment.",
        "If the clock step failed, set the clock. Otherwise wait 15 minutes and try without a "
        "proxy or VPN.",
    ),
    ("CONNACK", CommunicationError): Advice(
        "The broker closes the connection or does not respond: a proxy that does not support "
        "WebSockets, too many connections of this account, or an overloaded broker.",
        "Try without a proxy or VPN; stop other programs that use the account; try again in a few "
        "minutes.",
    ),
    ("subscription", SubscriptionRefusedError): Advice(
        "The broker refuses the subscription to the heater's responses: the account may have lost the "
        "heater.",
        "Check in the NaviLink app that the account still has it; sign out of the app and in again; "
        "then run: navien-nwp500 login.",
    ),
    ("subscription", CommunicationError): Advice(
        "The broker closes the connection or does not respond to the subscription to the heater's "
        "responses: the account may have lost the heater.",
        "Check in the NaviLink app that the account still has it; try again in a few minutes.",
    ),
    # The heater
    ("", DeviceOfflineError): Advice(
        "The heater is not connected to the cloud: no power, no Wi-Fi, a new Wi-Fi password.",
        "Look at the Wi-Fi symbol on its panel, restart the router, connect it again in the app. "
        "Running programs continue by themselves once it is back.",
    ),
    ("", UnresponsiveHeaterError): Advice(
        "The heater is connected to the cloud but does not respond: its Wi-Fi is weak, or the "
        "cloud has not noticed yet that it is offline.",
        "Wait 5 minutes and run this again; then restart the heater's Wi-Fi or the router. Several "
        "programs that poll also make it slow: poll every 300 s or less often.",
    ),
    ("", ProtocolError): Advice(
        "A response has an unknown format: a new firmware, or a damaged message.",
        "Run this again; if it still fails, update the library, then report this output.",
    ),
    # The CSV file
    ("", NoRecordingError): Advice(
        "The file does not exist, cannot be read, or was not written by the monitor.",
        "Check the folder and the name given to monitor --csv.",
    ),
    ("", EmptyRecordingError): Advice(
        "The monitor opened the file but never received a status.",
        "If a step above failed, solve that first. Otherwise let the monitor run: it writes the "
        "first line with the first response, and then one every 300 s.",
    ),
    # The history database
    ("", NoDatabaseError): Advice(
        "Nothing has recorded into it yet, its name is wrong, or it is the file of another program.",
        "Check the file or URL of --database; the monitor, the dashboard and history import make it: "
        "navien-nwp500 monitor --database.",
    ),
    ("", NewerDatabaseError): Advice(
        "Another installation of this program, on this machine or another, is newer.",
        "Install that version here too; the database stays as it is.",
    ),
    ("", NoPackageError): Advice(
        "The history database needs packages of its own.",
        "Install the extra that the message names; see: docs/HISTORY.md.",
    ),
    ("", NetworkDatabaseError): Advice(
        "SQLite's write-ahead log does not work between machines: statuses get lost, or the file is "
        "damaged.",
        "Move the file to a disk of this machine while nothing uses it, and name it with --database; "
        "or use PostgreSQL.",
    ),
    ("", ForbiddenDatabaseError): Advice(
        "Another user owns the file or its folder, for example because a service or sudo made it.",
        "Run the command as that user, or give the file and its folder to this one: chown.",
    ),
    ("", UnreachableDatabaseError): Advice(
        "PostgreSQL does not run, rejects the user, or is behind a firewall; a file is damaged, or "
        "another program holds it.",
        "For PostgreSQL try the same URL with psql. For a file try: sqlite3 FILE 'PRAGMA "
        "integrity_check'; a damaged one is replaced by the last copy and history import.",
    ),
    ("", NaviLinkError): Advice(
        "The cause of this error is not known.",
        "Run this again with NAVILINK_LOG_LEVEL=DEBUG and report this output.",
    ),
}


def find_advice(step: str, error: NaviLinkError) -> Advice:
    """Return the advice for an error of a step."""
    kinds = list(_kinds(error))
    keys = ((name, kind) for name in (step, "") for kind in kinds)
    return next(ADVICE[key] for key in keys if key in ADVICE)


def _kinds(error: NaviLinkError) -> Iterator[Kind]:
    if isinstance(error, APIError) and not isinstance(error, MaintenanceError):
        yield from (429,) if 429 in (error.status_code, error.code) else ()
        yield 500 if error.is_server_error else error.status_code
    yield from type(error).__mro__
