"""Runs fk kernels over the candidates of an index.json: the honest ones are right, in each wrong one
something is found that its entry names.

check_candidates.py index.json honest|wrong
"""
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

index, kind = pathlib.Path(sys.argv[1]), sys.argv[2]


def check(entry):
    command = ["fk", "kernels", str(index.parent / entry["file"]), "--target", entry["task"], "--json"]
    if "dtype" in entry:
        command += ["--dtype", entry["dtype"]]
    if "shapes" in entry:
        command += ["--shapes", entry["shapes"]]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode not in (0, 1):
        return f"exit code {run.returncode}: {run.stderr.strip()[:300]}"
    report = json.loads(run.stdout)
    wrong = [case for case in report["cases"] if case["status"] == "wrong"]
    if report["right"] != (run.returncode == 0):
        return f"exit code {run.returncode}, but the report says right = {report['right']}"
    if kind == "honest":
        return json.dumps(wrong[0])[:400] if wrong else ""
    found = {finding["kind"] for case in wrong for finding in case["findings"]}
    if any(not result["right"] for case in wrong for result in case["results"]):
        found.add("wrong values")
    return "" if found & set(entry["finds"]) else f"found {sorted(found)}, wanted one of {entry['finds']}"


entries = json.loads(index.read_text())[kind]
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    answers = list(pool.map(check, entries))
for entry, answer in zip(entries, answers):
    print("ok   " if not answer else "BAD  ", entry["file"], answer)
print(f"{sum(not answer for answer in answers)} of {len(entries)} {kind}")
sys.exit(any(answers))
