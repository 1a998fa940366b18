"""Files from an https address or a DOI, taken only with the SHA-256 that their maker tells.

A DOI is resolved by pooch, for Zenodo, figshare and Dataverse.  What was taken is kept by its hash,
so that it comes once.
"""

import hashlib
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from rvae_lite.publishing import expanded, write_atomically
from rvae_lite.readers.limits import shown

LARGEST = 2**28  # bytes of a file
CONNECT, STALL = 10, 30  # seconds until a server answers, and without a byte
SECONDS, SPEED = 60, 1e4  # time for any file, and bytes a second that more of it must bring
SHOWN_AFTER = 3  # seconds until a bar appears
BLOCK = 2**16
DIGEST = re.compile(r"[0-9a-f]{64}")
DOI = re.compile(r"doi:(?P<doi>10\.\d{4,9}/\S+)/(?P<file>[^/]+)", re.IGNORECASE)
BY_HAND = "or download it by hand and name the file"


class Insecure(ValueError):
    """An address whose answer anybody on the way could read and change."""


def verified(path, sha256: str) -> Path:
    """The path of a file, its bytes compared with a SHA-256; where it is missing, as it is.

    Raises:
        ValueError: it has another one, or `sha256` is none.
    """
    path, digest = expanded(path), _digest(path, sha256)
    if path.is_file() and (found := sha256_of(path)) != digest:
        raise _differs(path, found, digest)
    return path


def fetched(name: str, sha256: str | None = None) -> Path:
    """The file of an address, its bytes compared with a SHA-256.

    Args:
        name: "https://..." or "doi:10.5281/zenodo.123/alice.npz", which may end in "#sha256=...";
            "http://..." of this machine alone.
        sha256: 64 hexadecimal digits, where the address does not end in them.

    Raises:
        ValueError: no or another checksum, no encryption, a web page, more than 256 MiB.
        FileNotFoundError, ConnectionError, TimeoutError: there is no such file, or it did not come.
    """
    address, _, told = name.partition("#")
    if told and not told.startswith("sha256="):
        raise ValueError(f"{shown(name)}: after # only sha256= may stand: correct it")
    given = {_digest(address, each) for each in (told.removeprefix("sha256="), sha256) if each}
    if len(given) != 1:
        wrong = "has two checksums that differ" if given else "is taken only with its checksum"
        remedy = "pass sha256=, or add #sha256=... to the address, as its maker tells it"
        raise ValueError(f"{shown(address)} {wrong}: {remedy}")
    import pooch

    (digest,) = given
    path = Path(pooch.os_cache("rvae_lite")) / "rosetta" / f"{digest}.npz"
    if not path.is_file() or sha256_of(path) != digest:
        content = _downloaded(_resolved(address), digest, address)
        write_atomically(path, lambda file: file.write(content))
    return path


def sha256_of(path) -> str:
    """The SHA-256 of a file's bytes, as `sha256sum` tells it."""
    with expanded(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(name, sha256: str) -> str:
    digest = str(sha256).strip().lower()
    if not DIGEST.fullmatch(digest):
        wrong = f"must be 64 hexadecimal digits, not {shown(digest)[:80]!r}"
        raise ValueError(f"the sha256 of {shown(name)} {wrong}: copy all of it")
    return digest


def _differs(name, found: str, digest: str) -> ValueError:
    both = f"has the SHA-256 {found}, not {digest}"
    return ValueError(f"{shown(name)} {both}: it was altered or is another file, ask its maker")


# Addresses


def _resolved(address: str) -> str:
    """Where the bytes are."""
    if not address.lower().startswith("doi:"):
        check_secure(address)
        return address
    parts = DOI.fullmatch(address)
    if parts is None:
        example = "doi:10.5281/zenodo.123/alice.npz"
        raise ValueError(f"{shown(address)} must be a DOI, / and the name of a file: as {example}")
    from pooch.downloaders import doi_to_repository

    doi, file = parts["doi"], parts["file"]
    try:
        with warnings.catch_warnings(action="ignore"), _explained(f"https://doi.org/{doi}"):
            # The newest version of a DOI without one is as good: the checksum decides.
            found = doi_to_repository(doi, **_options()).download_url(file)
        check_secure(found)
    except Insecure:
        raise
    except (ValueError, LookupError, TypeError, AttributeError) as error:  # answers of any form
        reason = shown(" ".join(str(error).split())[:200]) or type(error).__name__
        known = "leads to no such file of Zenodo, figshare or Dataverse"
        remedy = "check the DOI and the name of the file"
        raise ValueError(f"{shown(address)} {known} ({reason}): {remedy}") from error
    return found


def check_secure(address: str, *, before: str | None = None) -> None:
    """Refuse an address that is not encrypted, other than from this machine to itself.

    before: the address that led there, if one did.

    Raises:
        Insecure: it is not https, or names no host.
    """
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        parts, host = urlsplit(""), ""
    inside = parts.scheme == "http" and _is_loopback(host)
    if before is not None:
        inside = inside and _is_loopback(urlsplit(before).hostname or "")
    if not host or not (parts.scheme == "https" or inside):
        led = f"{shown(before)} leads to " if before is not None else ""
        wrong = "which is no https address" if led else "is no https address"
        raise Insecure(f"{led}{shown(address)}{', ' if led else ' '}{wrong}: ask for one")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _stay_secure(response, **_) -> None:
    """A hook of requests: refuse to be sent on without encryption."""
    if response.is_redirect:
        try:
            target = urljoin(response.url, response.headers["location"])
            check_secure(target, before=response.url)
        except ValueError:
            response.close()
            raise


# Answers


def _options() -> dict:
    """How requests are made."""
    headers = {"User-Agent": "rvae_lite", "Accept-Encoding": "identity"}
    secure = dict(response=_stay_secure)
    return dict(timeout=(CONNECT, STALL), hooks=secure, headers=headers)


def _downloaded(source: str, digest: str, name: str) -> bytes:
    """The bytes at an address, after a look at their number, kind and hash."""
    import requests
    from tqdm import tqdm

    content, began, where = bytearray(), time.monotonic(), shown(name)
    with _explained(name), requests.get(source, stream=True, **_options()) as response:
        response.raise_for_status()
        told = response.headers.get("content-length", "")
        total = int(told) if told.isdecimal() else None
        style = dict(unit="B", unit_scale=True, delay=SHOWN_AFTER, disable=None, leave=False)
        with tqdm(total=total, desc="downloading", **style) as bar:
            while chunk := response.raw.read1(BLOCK):
                if not content and chunk.lstrip().startswith(b"<"):
                    remedy = "pass the address of the file itself, as of its download button"
                    raise ValueError(f"{where} answers with a web page, not a file: {remedy}")
                content += chunk
                if max(len(content), total or 0) > LARGEST:
                    limit = f"more than the limit of {LARGEST / 2**20:g} MiB"
                    raise ValueError(f"{where} has {limit}: download it by hand, name the file")
                if time.monotonic() - began > SECONDS + len(content) / SPEED:
                    slow = f"{where} sends less than {SPEED / 1e3:g} kB a second"
                    raise TimeoutError(f"{slow}: try again later, {BY_HAND}")
                bar.update(len(chunk))
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise _differs(name, found, digest)
    return bytes(content)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Say in one sentence why an address did not give its file."""
    import requests
    import urllib3

    where = shown(name)
    try:
        yield
    except requests.exceptions.InvalidJSONError:
        raise
    except requests.HTTPError as error:
        status = error.response.status_code
        if status in (404, 410):
            raise FileNotFoundError(
                f"{where} is not there ({status}): check the address"
            ) from error
        remedy = "ask its maker to publish it" if status in (401, 403) else "try again later"
        raise ConnectionError(f"{where} was not given out ({status}): {remedy}") from error
    except requests.ConnectTimeout as error:
        wrong = f"{where} did not answer within {CONNECT} s"
        raise TimeoutError(f"{wrong}: try again later, {BY_HAND}") from error
    except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
        wrong = f"{where} sent nothing for {STALL} s"
        raise TimeoutError(f"{wrong}: try again later, {BY_HAND}") from error
    except requests.exceptions.SSLError as error:
        wrong = f"{where} is not what its certificate says, or has none to trust"
        raise ConnectionError(f"{wrong}: check the address") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        wrong = f"{where} could not be reached, or broke off ({type(error).__name__})"
        raise ConnectionError(f"{wrong}: check the address and the network") from error
