"""What to do about each alert, in one or two sentences that are sent with it; docs/runbook.md is made from here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from underway.manifest.limits import StepKeys

STEPS: Mapping[str, str] = {
    "app.down": (
        "Look whether its processes run (underway status) and read their last lines. If a release came "
        "shortly before, roll back first and look afterwards; if the machine is full or overloaded, make "
        "room."
    ),
    "process.ended": (
        "It was started again by itself. Read the lines before its end: an exception is in the logs, signal 9 "
        "is mostly memory, exit code 0 a program that thinks it is done."
    ),
    "process.crash-loop": (
        "It cannot stay up: roll back if a release came shortly before, else read its last lines for what it "
        "misses (a variable, the database, a port) and deploy again."
    ),
    "errors.burst": (
        "Look at the errors by release. If they began with a release, roll back; if they come from the "
        "database or from what the app calls, mend that, or show the maintenance page."
    ),
    "latency.slow": (
        "Look at the slow statements and at the machine's processors. If it began with a release, roll back; "
        "if traffic grew, add instances."
    ),
    "limit.passed": (
        "See which figure passed its limit and what changed at that time: a release, the traffic, the machine."
    ),
    "memory.leak": (
        "Deploy the same release again to gain time: its processes begin with fresh memory. Then look for "
        "what the release keeps between requests."
    ),
    "memory.nearly-full": (
        "At its limit the process is ended and started again. Deploy again to gain time, raise the limit in "
        "the manifest, or look for what grew."
    ),
    "disk.nearly-full": (
        "Find what is large on this disk (the command shows it) and remove or move it. A full disk stops the "
        "database first."
    ),
    "monitor.down": (
        "Ask the same thing by hand from this machine. If it answers there, look at the network between; if "
        "not, whoever keeps it should know."
    ),
    "certificate.ends": (
        "Renew it. A certificate that the proxy keeps renews itself when the domain leads here and port 80 is "
        "open; look at the proxy's log for why it did not."
    ),
    "schedule.missed": (
        "Look whether the machine that runs it is up and what its last run wrote, run it by hand, and let it "
        "tell again."
    ),
    "machine.offline": (
        "Nothing can be said of what lies outside until this machine's own network is back. Look at its "
        "cable, address and resolver."
    ),
    "slo.burning": (
        "At this speed the promise will be broken. Treat what fails as the incident: roll back if it began "
        "with a release."
    ),
    "slo.spent": ("The promise is broken for this window. Mend what failed before anything new is released."),
    "agent.away": (
        "Nothing was watched and nothing deployed meanwhile; apps went on running. Look in the system's log "
        "for why the agent ended, and let systemd keep it (underway agent install)."
    ),
    "security.log-ins": (
        "Look whose account is tried and whether any log-in came through (underway security shows the client); "
        "block the address where your network ends, and let that person change the password."
    ),
    "security.scan": (
        "Something was answered that a scanner looked for. Ask for that path yourself: if it gives away what it "
        "should not, take it out, and change every secret that stood in it."
    ),
    "backup.late": ("Make a backup now and see in the events why the schedule did not."),
    "backup.damaged": ("Make a backup now; do not remove the damaged one before it is there."),
    "clock.jumped": (
        "See that time is kept (NTP). Backups that were made under another clock may be in a wrong order."
    ),
}
"""By the code of the alert's problem."""


def step_for(steps: Sequence[StepKeys], code: str, key: str) -> str:
    """The manifest's own step for this very matter, for its code, for all others; else that of `STEPS`; "" for none."""
    for name in (key, code, "*"):
        for each in steps:
            if each.of == name:
                return each.do
    return STEPS.get(code, "")
