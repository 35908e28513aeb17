# ruff: noqa: INP001 - a script, mounted alone
"""An application in miniature: it asks the model something every few seconds, one in three as a stream, and says how it goes.

Standard library alone: what it shows is that an application's one setting for the sidecar is where it calls.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import sys
import time
from collections import Counter
from urllib.parse import urlsplit

TOLD_EVERY = 30
TIMEOUT_S = 30


def ask(base_url: str, model: str, number: int) -> str:
    """Ask one question; return the status, or in a word why there is none."""
    question = {
        "model": model,
        "messages": [{"role": "user", "content": f"Claim {1000 + number}: what is 17 % of {number} EUR?"}],
        "stream": number % 3 == 0,
    }
    parts = urlsplit(base_url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_S)
    headers = {"Content-Type": "application/json", "Authorization": "Bearer not-a-key"}
    try:
        connection.request("POST", f"{parts.path}/chat/completions", json.dumps(question), headers)
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
    finally:
        connection.close()
    return str(answer.status)


def main() -> None:
    """Ask for ever."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--model", default="acme-large")
    parser.add_argument("--every", type=float, default=2.0, help="seconds between two questions")
    given = parser.parse_args()
    seen: Counter[str] = Counter()
    for number in itertools.count(1):
        seen[ask(given.base_url, given.model, number)] += 1
        if number % TOLD_EVERY == 0:
            sys.stdout.write(f"asked {number}: {json.dumps(dict(sorted(seen.items())))}\n")
            sys.stdout.flush()
        time.sleep(given.every)


if __name__ == "__main__":
    main()
