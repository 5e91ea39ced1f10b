"""Addresses of servers on the command line."""

import typer


def check_address(address: str, option: str = "HOST:PORT") -> None:
    """Looks whether a text is a host and a port.

    Args:
        address: What was given.
        option: The option or argument it was given for.

    Raises:
        typer.BadParameter: It is not.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise typer.BadParameter(
            f"expected a host and a port such as 127.0.0.1:8500, got '{address}'",
            param_hint=option,
        )
