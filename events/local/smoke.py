"""``make smoke URL=… KEY=…``: requests to a deployment, and what must come back for each.

It is for the first minutes after a deployment: it shows what no test on one machine can, because
only AWS's own gateway decides it. It needs nothing but Python. Against ``make serve`` it runs too,
and marks the rows that only AWS can show. It exits with 1 where an answer is not the expected one.
"""

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from smoke_checks import Answer, Check, Door, checks

TIMEOUT_S = 35  # API Gateway itself gives up after 29 s


class Deployment:
    """A deployment by its base URL, with or without the name of a stage at its end."""

    def __init__(self, url: str) -> None:
        """Remember the URL; nothing is sent yet."""
        self._at = urlsplit(url.rstrip("/"))

    def send(self, check: Check) -> Answer:
        """Return the answer to one request.

        :raises OSError: the connection fails.
        :raises HTTPException: the answer is not HTTP.
        """
        method, path = check.request.split(" ")
        kind = HTTPSConnection if self._at.scheme == "https" else HTTPConnection
        connection = kind(self._at.netloc, timeout=TIMEOUT_S)
        try:
            connection.putrequest(method, self._at.path + path)
            for name, value in {**check.headers, "Content-Length": str(len(check.body))}.items():
                connection.putheader(name, value)
            # A server may refuse a body before it has read all of it, and says so.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.endheaders(check.body)
            reply = connection.getresponse()
            headers = {name.lower(): value for name, value in reply.getheaders()}
            return Answer(status=reply.status, headers=headers, body=reply.read())
        finally:
            connection.close()

    def door(self) -> Door:
        """Tell who answers, by the headers that each kind of API Gateway adds.

        :raises OSError: nobody answers.
        """
        headers = self.send(_anything("GET /v2/health")).headers
        if "x-amz-apigw-id" in headers:
            return Door.REST
        return Door.HTTP if "apigw-requestid" in headers else Door.LOCAL


def run(url: str, key: str) -> tuple[list[tuple[str, str, str, str]], bool]:
    """Send every request; return the table's rows, and whether no answer was wrong.

    :raises OSError: nobody answers at the URL.
    """
    deployment = Deployment(url)
    door = deployment.door()
    rows = []
    for check in checks(key):
        if door in check.not_at:
            rows.append(("--", check.request, check.expected, check.not_at[door]))
            continue
        try:
            with ThreadPoolExecutor(check.times) as pool:
                answers = list(pool.map(deployment.send, [check] * check.times))
        except (OSError, HTTPException) as error:
            rows.append(("FAIL", check.request, check.expected, f"{type(error).__name__}: {error}"))
            continue
        outcome = "ok" if check.is_right(answers) else "FAIL"
        came = ", ".join(sorted({str(answer) for answer in answers}))
        rows.append((outcome, check.request, check.expected, came))
    return rows, all(row[0] != "FAIL" for row in rows)


def main() -> int:
    """Print the table; the exit status is 1 where an answer was wrong, and 2 where none came."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("url", help="base URL, the output Url or HttpUrl of the stack")
    url = parser.parse_args().url
    try:
        at = urlsplit(url)
        is_url = at.scheme in {"http", "https"} and at.path.isascii()
    except ValueError:
        is_url = False
    if not is_url:
        parser.error("URL must be the output Url of the stack, such as https://....../live")
    # From the environment, since everybody on a machine can read the arguments of a program.
    key = os.environ.get("KEY", "")
    # A header takes no other signs: such a text is what a command said that failed.
    if not key or not key.isascii() or not key.isprintable():
        parser.error("KEY must be an API key of the deployment; the output ReadKey prints it")
    try:
        rows, is_right = run(url, key)
    except (OSError, HTTPException, UnicodeError) as error:  # UnicodeError: no host has such a name
        print(f"Nobody answers at {url}: {error}", file=sys.stderr)
        return 2
    head = ("", "request", "must come back", "came back")
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(3)]
    for row in [head, *rows]:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[3]]).rstrip())
    return 0 if is_right else 1


def _anything(request: str) -> Check:
    return Check(request=request, expected="", is_right=bool)


if __name__ == "__main__":
    sys.exit(main())
