"""A real PostgreSQL server, where its programs are installed: in a folder of its own, on a free loopback port."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = "nobody"


def programs() -> Path | None:
    """The folder of PostgreSQL's programs; None where it is not installed, or cannot run here."""
    if os.name != "posix" or _account() == "":
        return None
    on_path = shutil.which("pg_ctl")
    if on_path:
        return Path(on_path).resolve().parent
    return next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


def _account() -> str | None:
    """Whom the server runs as: None is whoever runs the tests; it refuses to run as root."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", NOBODY):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    return ""


@contextmanager
def server(bin_folder: Path) -> Iterator[str]:
    """Run a server without data in it; yields its URL."""
    account = _account()
    with tempfile.TemporaryDirectory(prefix="genrec-postgres-") as root:
        folder = Path(root)
        if account:
            shutil.chown(folder, account)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]

        def call(program: str, *arguments: str) -> None:
            command = [str(bin_folder / program), "-D", str(folder / "data"), *arguments]
            subprocess.run(command, user=account, cwd=folder, check=True, capture_output=True, timeout=60)

        try:
            call("initdb", "-A", "trust", "-U", "tester", "--no-sync", "-E", "UTF8", "--locale=C")
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"PostgreSQL cannot run here: {getattr(error, 'stderr', None) or error}")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        call("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql://tester:secret@127.0.0.1:{port}/postgres"
        finally:
            call("pg_ctl", "-m", "immediate", "stop")
