"""What keeps an instance from being started, in words for people."""

from __future__ import annotations

from underway.terms.problem import Problem
from underway.terms.process import InstanceSpec


def no_folder(spec: InstanceSpec) -> Problem:
    return Problem(
        code="runtime.spawn",
        where=spec.id,
        why=f"the folder to run it in is not there: {spec.cwd}",
        remedy="deploy the app again; its files are built anew",
        command=f"underway deploy --app {spec.app}",
    )


def cannot_spawn(spec: InstanceSpec, error: Exception) -> Problem:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return Problem(
        code="runtime.spawn",
        where=spec.id,
        why=f"the process could not be started: {why}",
        remedy="free memory, processes or disk space, whichever is meant, and try again",
        command="df -h; free -m",
    )


def port_taken(spec: InstanceSpec, holder: str) -> Problem:
    return Problem(
        code="runtime.port-taken",
        where=f"{spec.id} 127.0.0.1:{spec.port}",
        why=f"the port is in use by {holder}",
        remedy="stop that process, or let it use another port, and try again",
        command=f"ss -ltnp 'sport = :{spec.port}'",
    )
