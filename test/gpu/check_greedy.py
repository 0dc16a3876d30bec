#!/usr/bin/env python3
"""Compares greedy tokens of `fk generate --json` with the reference library's.

usage: check_greedy.py greedy.json generated.json BUDGET

Tokens must be equal wherever the library's top-2 margin exceeds BUDGET; after a token that differs within the budget the
sequences are different ones and are compared no further.
"""

import json
import sys


def main() -> int:
    wanted, got = (json.load(open(path)) for path in sys.argv[1:3])
    budget = float(sys.argv[3])
    compared = equal = within = 0
    for row, (tokens, margins) in enumerate(zip(wanted["tokens"], wanted["margins"])):
        for step, (want, margin) in enumerate(zip(tokens, margins)):
            compared += 1
            token = got["tokens"][row][step]
            if token == want:
                equal += 1
                continue
            if margin > budget:
                print(f"prompt {row}, step {step}: wanted {want}, got {token}, margin {margin} over {budget}")
                return 1
            within += 1
            break
    print(f"greedy tokens: {equal} of {compared} equal, {within} within the margin {budget}")
    return 0 if compared > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
