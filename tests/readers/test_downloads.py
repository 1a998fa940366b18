"""Points come from https addresses and DOIs whole, once and with their checksum, or not at all."""

import hashlib
import io
import json
import os
import shutil
import ssl
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import requests
from serving import Site, giving, leading_to, missing

from rvae_lite import RosettaPoints
from rvae_lite.readers import downloads
from rvae_lite.readers.downloads import check_secure, fetched

POINTS = RosettaPoints(np.eye(3), np.eye(3)[:, :2], header=dict(licence="CC0"))
PAGE = b"<!doctype html><title>alice.npz</title>"


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "*")
    site = Site()
    yield site
    site.end()


@pytest.fixture
def sent(tmp_path):
    """The bytes of a Rosetta file, and their SHA-256."""
    POINTS.save(tmp_path / "alice.npz")
    content = (tmp_path / "alice.npz").read_bytes()
    return content, hashlib.sha256(content).hexdigest()


def kept(tmp_path):
    return sorted(path.name for path in (tmp_path / "cache").rglob("*") if path.is_file())


def test_points_come_once_and_are_kept_by_their_hash(site, sent, tmp_path):
    content, digest = sent
    site.answers["/alice.npz"] = giving(content)
    for _ in range(2):
        points = RosettaPoints.load(site.address("/alice.npz"), sha256=digest.upper())
        assert np.array_equal(points.z, POINTS.z) and points.header["licence"] == "CC0"
    assert RosettaPoints.load(site.address(f"/other.npz#sha256={digest}")).ids.shape == (3,)
    assert site.asked == ["/alice.npz"] and kept(tmp_path) == [f"{digest}.npz"]


def test_what_was_kept_and_is_damaged_comes_again(site, sent, tmp_path):
    content, digest = sent
    site.answers["/alice.npz"] = giving(content)
    path = fetched(site.address("/alice.npz"), digest)
    path.write_bytes(content[:-1])
    assert fetched(site.address("/alice.npz"), digest).read_bytes() == content
    assert len(site.asked) == 2


def test_it_may_come_in_chunks_or_without_a_length(site, sent):
    content, digest = sent

    def in_chunks(handler):
        handler.give(b"", length=False, **{"Transfer-Encoding": "chunked"})
        for part in (content[:100], content[100:]):
            handler.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        handler.wfile.write(b"0\r\n\r\n")

    for path, answer in (("/chunks", in_chunks), ("/open", giving(content, length=False))):
        site.answers[path] = answer
        assert downloads._downloaded(site.address(path), digest, "it") == content


def test_a_bar_counts_the_bytes(site, monkeypatch):
    import tqdm

    bars = []

    class Bar(tqdm.tqdm):
        def __init__(self, **options):
            super().__init__(**options | dict(disable=False, delay=0, file=io.StringIO()))
            bars.append((self, options))

    monkeypatch.setattr(tqdm, "tqdm", Bar)
    content = b"PK" * 10**5
    site.answers["/a"] = giving(content)
    fetched(site.address("/a"), hashlib.sha256(content).hexdigest())
    ((bar, options),) = bars
    assert bar.n == bar.total == len(content) and options["delay"] == 3


def refusal(kind, message, address, sha256=None):
    with pytest.raises(kind, match=message) as caught:
        fetched(address, sha256)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def stall(handler):
    handler.server.ended.wait(20)


def stall_within(handler):
    handler.give(b"PK", length=100)
    handler.server.ended.wait(20)


def drip(handler):
    handler.give(b"P", length=1500)
    while not handler.server.ended.wait(0.02):
        handler.wfile.write(b"P")


def hang_up(handler):
    handler.connection.close()


FAILURES = {
    "/absent": (missing, FileNotFoundError, r"is not there \(404\): check the address"),
    "/closed": (giving(b"", status=403), ConnectionError, r"not given out \(403\): ask its maker"),
    "/down": (giving(b"", status=503), ConnectionError, r"not given out \(503\): try again later"),
    "/page": (giving(PAGE, kind="text/html"), ValueError, "answers with a web page, not a file: "),
    "/other": (giving(b"PK other"), ValueError, "has the SHA-256 [0-9a-f]{64}, not 0{64}: it was"),
    "/insecure": (
        leading_to("http://example.org/a.npz"),
        ValueError,
        "leads to http://example.org/",
    ),
    "/ftp": (
        leading_to("ftp://127.0.0.1/a.npz"),
        ValueError,
        "leads to ftp://127.0.0.1/a.npz, whi",
    ),
    "/circle": (leading_to("/circle"), ConnectionError, r"broke off \(TooManyRedirects\): check"),
    "/stall": (stall, TimeoutError, "sent nothing for 0.2 s: try again later, or download it by"),
    "/within": (stall_within, TimeoutError, "sent nothing for 0.2 s: try again later"),
    "/drip": (drip, TimeoutError, "sends less than .* kB a second: try again later"),
    "/cut": (giving(b"PK", length=100), ConnectionError, "could not be reached, or broke off"),
    "/hung": (hang_up, ConnectionError, "could not be reached, or broke off"),
    "/large": (giving(b"P" * 3000), ValueError, "more than the limit of .* MiB: download it by"),
    "/told": (giving(b"P", length=3000), ValueError, "more than the limit of .* MiB: download it"),
    "/endless": (giving(b"P" * 3000, length=False), ValueError, "more than the limit of"),
}


@pytest.mark.parametrize("path", FAILURES)
def test_what_does_not_come_is_told_in_a_sentence_and_leaves_nothing(
    site, tmp_path, monkeypatch, path
):
    answer, kind, message = FAILURES[path]
    site.answers[path] = answer
    for name, value in dict(STALL=0.2, LARGEST=2000, SECONDS=0.3, SPEED=1e3).items():
        monkeypatch.setattr(downloads, name, value)
    began = time.monotonic()
    refusal(kind, message, site.address(path), "0" * 64)
    assert time.monotonic() - began < 15  # far below what the server would wait
    assert kept(tmp_path) == []


def test_an_address_needs_one_checksum_that_is_one(site):
    address = site.address("/alice.npz")
    refusal(ValueError, "is taken only with its checksum: pass sha256=, or add #sha", address)
    refusal(ValueError, "doi:10.5281/zenodo.1/a.npz is taken only", "doi:10.5281/zenodo.1/a.npz")
    refusal(ValueError, "must be 64 hexadecimal digits, not 'abc': copy all", address, "abc")
    both = f"{address}#sha256={'1' * 64}"
    refusal(ValueError, "has two checksums that differ: pass", both, "2" * 64)
    refusal(ValueError, "after # only sha256= may stand", f"{address}#md5=1", "2" * 64)
    assert site.asked == []


@pytest.mark.parametrize(
    "address",
    ["http://example.org/a.npz", "http://127.0.0.1.example.org/", "ftp://127.0.0.1/a.npz"]
    + ["file:///etc/passwd", "https:///a.npz", "http://[::1/a.npz", "http://2130706434.com/"],
)
def test_what_is_not_encrypted_is_not_asked(address):
    with pytest.raises(ValueError, match="is no https address: ask for one"):
        check_secure(address)
    refusal(ValueError, "is no https address: ask for one", address, "0" * 64)


def test_this_machine_may_be_asked_without_encryption_but_not_from_elsewhere():
    for host in ("localhost:80", "127.0.0.1", "127.1.2.3", "[::1]:8000"):
        check_secure(f"http://{host}/a.npz")
        check_secure(f"http://{host}/b.npz", before=f"http://{host}/a.npz")
        with pytest.raises(ValueError, match="example.org/ leads to http"):
            check_secure(f"http://{host}/a.npz", before="https://example.org/")


def test_nobody_there_is_told(site):
    address = site.address("/alice.npz")
    site.shutdown()
    site.server_close()
    refusal(ConnectionError, "could not be reached, or broke off", address, "0" * 64)


def test_a_local_file_is_compared_with_a_checksum_that_is_given(sent, tmp_path):
    _, digest = sent
    assert len(RosettaPoints.load(tmp_path / "alice.npz", sha256=digest)) == 3
    with pytest.raises(ValueError, match="alice.npz has the SHA-256 .*, not 00.*: it was altered"):
        RosettaPoints.load(tmp_path / "alice.npz", sha256="0" * 64)
    with pytest.raises(FileNotFoundError, match="there is no rosetta file at .*none.npz"):
        RosettaPoints.load(tmp_path / "none.npz", sha256=digest)


def test_a_file_of_another_kind_is_refused_after_it_came(site):
    content = b"PK is no archive"
    site.answers["/a"] = giving(content)
    with pytest.raises(ValueError, match="is not a readable rosetta file"):
        RosettaPoints.load(site.address("/a"), sha256=hashlib.sha256(content).hexdigest())


# Encryption


@pytest.fixture
def encrypted(site, tmp_path, monkeypatch):
    """The site behind a certificate of its own making."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    site.socket = context.wrap_socket(site.socket, server_side=True)
    return certificate


def test_an_encrypted_address_needs_a_certificate_to_trust(encrypted, site, sent, monkeypatch):
    content, digest = sent
    site.answers["/alice.npz"] = giving(content)
    address = site.address("/alice.npz", "https")
    refusal(ConnectionError, "is not what its certificate says, or has none to", address, digest)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(encrypted))
    assert fetched(address, digest).read_bytes() == content
    site.answers["/moved"] = leading_to("http://example.org/alice.npz")
    moved = site.address("/moved", "https")
    refusal(ValueError, "leads to http://example.org/alice.npz, which is no https", moved, "1" * 64)


# DOIs


@pytest.fixture
def web(site, monkeypatch):
    """Every host but the site itself is a folder of the site: an answer of https://HOST/PATH."""
    send = requests.adapters.HTTPAdapter.send

    def send_there(adapter, request, **options):
        parts = urlsplit(request.url)
        if parts.hostname == "127.0.0.1":
            return send(adapter, request, **options)
        assert parts.scheme == "https"
        copy = request.copy()
        copy.url = site.address(f"/{parts.hostname}{parts.path}")
        copy.url += f"?{parts.query}" * bool(parts.query)
        response = send(adapter, copy, **options)
        response.url, response.request = request.url, request
        return response

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send_there)
    return site


def as_json(value):
    return giving(json.dumps(value).encode(), kind="application/json")


def publish_on_zenodo(web, content):
    """A record as Zenodo has it."""
    file = "https://zenodo.org/api/records/123/files/alice.npz/content"
    web.answers["/doi.org/10.5281/zenodo.123"] = leading_to("https://zenodo.org/records/123")
    web.answers["/zenodo.org/records/123"] = giving(PAGE)
    record = dict(id=123, files=[dict(key="alice.npz", links=dict(self=file))])
    web.answers["/zenodo.org/api/records/123"] = as_json(record)
    web.answers["/zenodo.org/api/records/123/files/alice.npz/content"] = giving(content)


def publish_on_figshare(web, content):
    """An article as figshare has it, of which the DOI names no version."""
    doi, page = "10.6084/m9.figshare.77", "https://figshare.com/articles/dataset/alice/77"
    web.answers[f"/doi.org/{doi}"] = leading_to(page)
    web.answers["/figshare.com/articles/dataset/alice/77"] = giving(PAGE)
    web.answers[f"/api.figshare.com/v2/articles?doi={doi}"] = as_json([dict(id=77)])
    file = dict(name="alice.npz", download_url="https://ndownloader.figshare.com/files/9")
    web.answers["/api.figshare.com/v2/articles/77"] = as_json(dict(files=[file]))
    web.answers["/ndownloader.figshare.com/files/9"] = giving(content)


def publish_on_dataverse(web, content):
    """A data set as an archive with Dataverse has it, whose DOI has two slashes."""
    doi = "10.7910/DVN/ABC"
    web.answers[f"/doi.org/{doi}"] = leading_to("https://dataverse.example/dataset")
    web.answers["/dataverse.example/dataset"] = giving(PAGE)
    files = [dict(dataFile=dict(filename="alice.npz", id=5))]
    path = f"/dataverse.example/api/datasets/:persistentId?persistentId=doi:{doi}"
    web.answers[path] = as_json(dict(data=dict(latestVersion=dict(files=files))))
    web.answers["/dataverse.example/api/access/datafile/5"] = giving(content)


@pytest.mark.parametrize(
    ("publish", "doi"),
    [
        (publish_on_zenodo, "10.5281/zenodo.123"),
        (publish_on_figshare, "10.6084/m9.figshare.77"),
        (publish_on_dataverse, "10.7910/DVN/ABC"),
    ],
)
def test_a_doi_leads_to_a_file_of_its_archive(web, sent, publish, doi):
    content, digest = sent
    publish(web, content)
    points = RosettaPoints.load(f"doi:{doi}/alice.npz", sha256=digest)
    assert np.array_equal(points.x, POINTS.x)
    asked = len(web.asked)
    RosettaPoints.load(f"doi:{doi}/alice.npz#sha256={digest}")
    assert len(web.asked) == asked


def test_a_doi_that_leads_nowhere_is_refused(web, sent, tmp_path):
    content, digest = sent
    publish_on_zenodo(web, content)
    web.answers["/doi.org/10.9999/paper"] = leading_to("https://journal.org/paper")
    web.answers["/journal.org/paper"] = giving(PAGE)
    web.answers["/doi.org/10.9999/plain"] = leading_to("http://zenodo.org/records/123")
    web.answers["/doi.org/10.9999/odd"] = leading_to("https://zenodo.org/records/9")
    web.answers["/zenodo.org/records/9"] = giving(PAGE)
    web.answers["/zenodo.org/api/records/9"] = giving(PAGE)
    names = "must be a DOI, / and the name of a file: as doi:10.5281/zenodo.123/alice.npz"
    nowhere = r"leads to no such file of Zenodo, figshare or Dataverse \(.+\): check the DOI and"
    cases = {
        "doi:10.5281/zenodo.123": (ValueError, names),
        "doi:zenodo.123/alice.npz": (ValueError, names),
        "doi:10.5281/zenodo.0/alice.npz": (FileNotFoundError, r"zenodo.0 is not there \(404\)"),
        "doi:10.5281/zenodo.123/bob.npz": (ValueError, nowhere),
        "doi:10.9999/paper/alice.npz": (ValueError, nowhere),
        "doi:10.9999/odd/alice.npz": (ValueError, nowhere),
        "doi:10.9999/plain/alice.npz": (ValueError, "leads to http://zenodo.org/records/123, whi"),
    }
    for address, (kind, message) in cases.items():
        refusal(kind, message, address, digest)
    refusal(ValueError, "has the SHA-256", "doi:10.5281/zenodo.123/alice.npz", "1" * 64)
    assert kept(tmp_path) == []


def test_a_doi_whose_archive_stalls_is_told(web, monkeypatch):
    monkeypatch.setattr(downloads, "STALL", 0.2)
    web.answers["/doi.org/10.9999/slow"] = stall
    refusal(
        TimeoutError, "https://doi.org/10.9999/slow sent nothing", "doi:10.9999/slow/a", "0" * 64
    )


def test_a_kept_file_is_never_half_written(site, sent, tmp_path, monkeypatch):
    content, digest = sent
    site.answers["/alice.npz"] = giving(content)

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "fsync", interrupted)
        fetched(site.address("/alice.npz"), digest)
    assert kept(tmp_path) == []
    assert Path(fetched(site.address("/alice.npz"), digest)).stem == digest
