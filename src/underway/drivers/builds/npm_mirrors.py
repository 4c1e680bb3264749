"""Addresses of public npm mirrors in a lock, which are gone or slow, as the registry's own.

A mirror holds what the registry holds, and the lock's digests say which file is meant. npm and yarn ask the registry
that is set up for what a lock has from `registry.npmjs.org` (docs.npmjs.com, replace-registry-host).
"""

from __future__ import annotations

import re
from pathlib import Path

_MIRROR = re.compile(
    r"https?://(?:registry\.npm\.taobao\.org|registry\.nlark\.com|registry\.npmmirror\.com|r\.cnpmjs\.org"
    r"|registry\.cnpmjs\.org|cdn\.npmmirror\.com/packages|mirrors\.huaweicloud\.com/repository/npm"
    r"|mirrors\.cloud\.tencent\.com/npm|mirrors\.tencent\.com/npm)"
    r"/((?:@[\w.-]+/)?[\w.-]+)/(?:download|-|[\w.+-]+)/(?:@[\w.-]+/)?([\w.+-]+\.tgz)(?:\?[^\s\"'#]*)?"
)
_LARGEST = 32 << 20
LOCKS = ("package-lock.json", "npm-shrinkwrap.json", "yarn.lock")


def to_the_registry(text: str) -> tuple[str, int]:
    """`text` of a lock with every address of a mirror's as the registry's, and how many there were."""
    return _MIRROR.subn(r"https://registry.npmjs.org/\1/-/\2", text)


def without_mirrors(lock: Path) -> tuple[str, int]:
    """The same for the file `lock`; an empty text where there is nothing to change, or it is no file of these."""
    if lock.name not in LOCKS or lock.is_symlink() or lock.stat().st_size > _LARGEST:
        return "", 0
    text, count = to_the_registry(lock.read_text("utf-8", "replace"))
    return (text, count) if count else ("", 0)
