"""Where a PostgreSQL database is: what of its address SDCC resolves itself, and what may be shown.

libpq looks host names up by itself, but blocks meanwhile, and the reactor with it. So a name that is in the
URL or the environment is looked up in a thread, and handed over as an address. Knows no driver.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping

DEFAULT_PORT = "5432"
_QUOTED = re.compile(r'".*"', re.DOTALL)


def hosts(parameters: Mapping[str, str], environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """Hosts to be looked up, each with its port; none where there is nothing to look up, or libpq must.

    :param parameters: libpq's, as the URL gives them.
    """
    has_service = "service" in parameters or "PGSERVICE" in environment
    from_environment = {} if has_service else environment
    host = parameters.get("host") or from_environment.get("PGHOST", "")
    port = parameters.get("port") or from_environment.get("PGPORT", "")
    names = host.split(",")
    ports = port.split(",")
    if len(ports) != len(names):
        ports = ports[:1] * len(names)
    is_address_given = "hostaddr" in parameters or "PGHOSTADDR" in environment
    if is_address_given or any(not name or name.startswith(("/", "@")) for name in names):
        return []
    return [(name, number or DEFAULT_PORT) for name, number in zip(names, ports, strict=True)]


def resolve(places: list[tuple[str, str]]) -> dict[str, str]:
    """libpq's parameters for every address of every host, in order. Blocks.

    :raises OSError: none of the hosts has an address.
    """
    found: list[tuple[str, str, str]] = []
    failure: OSError | None = None
    for name, port in places:
        try:
            found += [(name, address, port) for address in dict.fromkeys(_addresses(name))]
        except OSError as error:
            failure = OSError(f"host {name}: {error.strerror}")
    if failure is not None and not found:
        raise failure
    names, addresses, ports = (",".join(column) for column in zip(*found, strict=True))
    return {"host": names, "hostaddr": addresses, "port": ports}


def _addresses(name: str) -> Iterator[str]:
    for *_, address in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM):
        yield str(address[0])


def without_secrets(text: str, parameters: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """A message of libpq, in one line."""
    secrets = [value for key, value in parameters.items() if "password" in key]
    secrets += [environment[key] for key in ("PGPASSWORD", "PGSSLPASSWORD") if key in environment]
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())


def without_quotations(text: str) -> str:
    """A message about a URL that cannot be read, so that nobody knows which part of it is secret."""
    return _QUOTED.sub('"***"', text).strip()
