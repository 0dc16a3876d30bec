#!/usr/bin/env python3
"""Runs lit over the tests of a build folder and closes with one line that counts them.

usage: test/run.py build/dev [lit arguments, such as --filter=fuse]
"""

import collections
import json
import pathlib
import subprocess
import sys


def main() -> int:
    build = pathlib.Path(sys.argv[1]).resolve()
    lit = next(
        (path for path in map(pathlib.Path, ("/usr/lib/llvm-22/bin/lit", "/usr/bin/lit-22")) if path.exists()),
        None,
    )
    if lit is None:
        print("error: lit is missing: /usr/lib/llvm-22/bin/lit (run make deps)", file=sys.stderr)
        return 3
    results = build / "test" / "results.json"
    results.parent.mkdir(parents=True, exist_ok=True)
    results.unlink(missing_ok=True)
    command = [str(lit), "-sv", "--timeout", "600", "--output", str(results), *sys.argv[2:], str(build / "test"), str(build / "test" / "unit")]
    status = subprocess.run(command).returncode
    if not results.exists():
        print("error: lit wrote no results", file=sys.stderr)
        return status or 1

    counts = collections.Counter(test["code"] for test in json.loads(results.read_text())["tests"])
    for test in json.loads(results.read_text())["tests"]:
        if test["code"] in ("UNSUPPORTED", "SKIPPED"):
            print(f"skipped: {test['name']}")
    passed = counts["PASS"] + counts["XFAIL"] + counts["FLAKYPASS"]
    skipped = counts["UNSUPPORTED"] + counts["SKIPPED"] + counts["EXCLUDED"]
    failed = sum(counts.values()) - passed - skipped
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    if passed == 0:
        print("error: no test ran", file=sys.stderr)
    return 0 if status == 0 and failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
