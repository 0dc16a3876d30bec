"""Runs fk kernels over the candidates of an index.json: the honest ones are right, in each wrong one
something is found that its entry names.

check_candidates.py index.json honest|wrong [cuda]

On cuda only those wrong ones run whose values are to be wrong: races may pass there, and loops without end hang.
"""
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

index, kind = pathlib.Path(sys.argv[1]), sys.argv[2]
device = sys.argv[3] if len(sys.argv) > 3 else "host"


def check(entry):
    command = ["fk", "kernels", str(index.parent / entry["file"]), "--target", entry["task"], "--json", "--device", device]
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
    if device == "cuda":
        return "" if wrong else "nothing is wrong"
    found = {finding["kind"] for case in wrong for finding in case["findings"]}
    if any(not result["right"] for case in wrong for result in case["results"]):
        found.add("wrong values")
    return "" if found & set(entry["finds"]) else f"found {sorted(found)}, wanted one of {entry['finds']}"


entries = json.loads(index.read_text())[kind]
if device == "cuda":
    entries = [entry for entry in entries if kind == "honest" or "wrong values" in entry["finds"]]
with concurrent.futures.ThreadPoolExecutor(os.cpu_count() if device == "host" else 4) as pool:
    answers = list(pool.map(check, entries))
for entry, answer in zip(entries, answers):
    print("ok   " if not answer else "BAD  ", entry["file"], answer)
print(f"{sum(not answer for answer in answers)} of {len(entries)} {kind}")
sys.exit(any(answers))
