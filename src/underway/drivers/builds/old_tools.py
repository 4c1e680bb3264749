"""Old packages that today's build tools refuse: what building one says, and the tools that still take it.

A source distribution without a lock of its build tools is built with those of today. What these have since dropped is
known, so a build that ends in one of the lines below is tried again with the last tools that had it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Mend:
    """A line of a failed build's log, the constraints on what builds packages that mend it, and why they do."""

    says: re.Pattern[str]
    needs: tuple[str, ...]
    because: str


MENDS = (
    Mend(  # setuptools.pypa.io/en/stable/history.html#v58-0-0
        re.compile(r"use_2to3 is invalid"), ("setuptools<58",), "setuptools 58 no longer converts code of Python 2"
    ),
    Mend(  # …/history.html#v46-0-0
        re.compile(r"cannot import name '(?:Feature|Features)' from 'setuptools'"),
        ("setuptools<46",),
        "setuptools 46 no longer has features",
    ),
    Mend(  # …/history.html#v82-0-0
        re.compile(r"No module named 'pkg_resources'"), ("setuptools<82",), "setuptools 82 no longer has pkg_resources"
    ),
    Mend(  # …/history.html#v72-0-0
        re.compile(r"No module named 'setuptools\.command\.test'"),
        ("setuptools<72",),
        "setuptools 72 no longer runs tests",
    ),
    Mend(  # …/history.html#v74-0-0
        re.compile(r"No module named 'distutils\.(?:msvccompiler|_msvccompiler)'"),
        ("setuptools<74",),
        "setuptools 74 no longer has distutils' old compilers",
    ),
    Mend(  # …/history.html#v66-0-0, #v67-0-0
        re.compile(
            r"packaging\.version\.InvalidVersion|valid project/version requirement specifiers"
            r"|packaging\.requirements\.InvalidRequirement"
        ),
        ("setuptools<66", "wheel<0.40"),
        "setuptools 66 no longer takes versions that PEP 440 does not know",
    ),
    Mend(  # github.com/yaml/pyyaml/issues/724
        re.compile(r"no attribute 'cython_sources'|Cython\.Compiler\.Errors"),
        ("Cython<3",),
        "Cython 3 no longer takes its code",
    ),
)

_FAILED = re.compile(r"(?:Failed to (?:download and )?build|Building) `([^`]{1,80})`")


def mend(lines: Sequence[str], held: Collection[str]) -> Mend | None:
    """What mends the build that wrote `lines`, None when nothing here does or it was tried already (`held`)."""
    return next(
        (each for each in MENDS if not set(each.needs) <= set(held) and any(each.says.search(line) for line in lines)),
        None,
    )


def what_failed(lines: Sequence[str]) -> str:
    """The package whose build failed, as uv names it (`anyjson==0.3.3`), empty when it names none."""
    return next((found[1] for line in lines if (found := _FAILED.search(line))), "")
