"""`.env` files as this project and docker compose read them: where they agree, and each kind of difference.

    python -m bench.dotenv_compose

Builds a reader of compose's own Go package (github.com/compose-spec/compose-go/v2/dotenv); needs `go`.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from underway.environment.dotenv import read, write

FIXED = [
    "A=1", "A='b'", 'A="b"', "export A=1", "A=b # c", "A=b#c", "A='b' # c", "A=", "A", "A: b", "A = b", "A= b",
    'A="x\\ny"', "A='x\\ny'", 'A="x\ny"', "A='x\ny'", "A=1\nB=${A}", "A=1\nB=$A", "A=1\nB='${A}'", 'A=1\nB="${A}"',
    "B=${C:-d}", "B=${C-d}", "B=${C:?no}", "A=$$x", "A=\\$x", "\ufeffA=1", "A=1\r\nB=2\r\n", 'A="it\'s"', "A='it\\'s'",
    'A="a\\"b"', "A=a\\nb", 'A="a\\\\b"', "A='a\\\\b'", "'A'=1", "A.b=1", "1A=x", "A=a\x00b", "A=`b`", 'A="b"c',
    "A='b", "A=b\tc", 'A="a\\tb"', "A='$5'", "A=$5", "A=${}", "A=" + "x" * 1_000_000, "A=a=b", "#A=1",
    "A=b  ", "A='  b '",
]  # fmt: skip
PIECES = [
    "A=1\n", "B=", "KEY=",
    "'", '"', "\\", "\n", "\r\n", " ", "#", "export ", "${A}", "${A:-x}", "é", "x", "\\n", "-", ":", "1",
]  # fmt: skip


def main() -> None:
    if shutil.which("go") is None:
        print("skipped: there is no go on this machine")
        return
    with tempfile.TemporaryDirectory() as folder:
        reader = build(Path(folder))
        print("read differently, of", len(FIXED), "forms:")
        for text, theirs in zip(FIXED, ask(reader, FIXED), strict=True):
            if (ours := known(text)) != theirs.get("values"):
                print(f"  {text[:40]!r:44} here {ours!s:30} compose {theirs.get('values', theirs.get('error'))}")
        dice = random.Random(5)
        texts = ["".join(dice.choices(PIECES, k=dice.randint(2, 14))) for _ in range(20_000)]
        answers = ask(reader, texts)
        taken = [(t, a["values"]) for t, a in zip(texts, answers, strict=True) if "values" in a]
        same = sum(known(text) == values for text, values in taken)
        print(f"random texts: compose takes {len(taken)} of {len(texts)}, and reads {same} of them the same")
        plain = [values_of(dice, "ab '\"\\#\n\té=&{}`!;1") for _ in range(5_000)]
        back = sum(a.get("values") == v for v, a in zip(plain, ask(reader, [write(v) for v in plain]), strict=True))
        print(f"files written here, without $: compose reads back {back} of {len(plain)}")


def values_of(dice: random.Random, alphabet: str) -> dict[str, str]:
    return {f"K{n}": "".join(dice.choices(alphabet, k=dice.randint(0, 12))) for n in range(3)}


def known(text: str) -> dict[str, str]:
    return {name: value for name, value in read(text).items() if value is not None}


def build(folder: Path) -> Path:
    source = Path(__file__).with_suffix("") / "main.go.txt"
    shutil.copy(source, folder / "main.go")
    for words in (["mod", "init", "example.com/reader"], ["mod", "tidy"], ["build", "-o", "reader", "."]):
        done = subprocess.run(["go", *words], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"go {words[0]} failed: {done.stderr[-500:]}")
    return folder / "reader"


def ask(reader: Path, texts: list[str]) -> list[dict[str, dict[str, str]]]:
    done = subprocess.run([str(reader)], input=json.dumps(texts).encode(), capture_output=True, check=True)
    found: list[dict[str, dict[str, str]]] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
