"""`tls: self-signed`: made once, kept while it is good, and really spoken."""

from __future__ import annotations

import datetime as dt
import ssl
import stat
from pathlib import Path

import httpx
from cryptography import x509
from tests.support.site import PASSWORD, running_site

from longwatch.web.tls import self_signed

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
NAMES = ("ridge.lan", "localhost", "127.0.0.1", "::1")


def test_it_is_kept_until_shortly_before_its_end_or_until_the_names_change(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path / "tls", NAMES, NOW)
    first = certificate.read_bytes()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert self_signed(tmp_path / "tls", NAMES, NOW + dt.timedelta(days=366))[0].read_bytes() == first
    assert self_signed(tmp_path / "tls", (*NAMES, "other.lan"), NOW)[0].read_bytes() != first
    second = certificate.read_bytes()
    assert self_signed(tmp_path / "tls", (*NAMES, "other.lan"), NOW + dt.timedelta(days=368))[0].read_bytes() != second


def test_a_post_that_boots_in_1970_makes_another(tmp_path: Path) -> None:
    self_signed(tmp_path / "tls", NAMES, NOW)
    certificate, _ = self_signed(tmp_path / "tls", NAMES, dt.datetime(1970, 1, 3, tzinfo=dt.UTC))
    assert x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_before_utc.year == 1970


def test_a_damaged_certificate_is_made_anew(tmp_path: Path) -> None:
    certificate, _ = self_signed(tmp_path / "tls", NAMES, NOW)
    certificate.write_text("not a certificate")
    assert b"BEGIN CERTIFICATE" in self_signed(tmp_path / "tls", NAMES, NOW)[0].read_bytes()


async def test_over_tls_the_cookie_is_bound_to_the_host(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path / "tls", NAMES, dt.datetime.now(dt.UTC))
    async with running_site(tmp_path, certificate=certificate, key=key) as site:
        trusted = ssl.create_default_context(cafile=str(certificate))
        async with httpx.AsyncClient(base_url=site.base, verify=trusted) as client:
            login = await client.post(
                "/api/v1/login", json={"name": "ada", "password": PASSWORD}, headers={"Origin": site.base}
            )
            cookie = login.headers["set-cookie"]
            assert cookie.startswith("__Host-longwatch=")
            assert "Secure" in cookie
            assert "Path=/;" in cookie
            assert "Domain" not in cookie
            assert (await client.get("/api/v1/me")).status_code == 200
            assert "strict-transport-security" in login.headers
            plain = cookie.split(";")[0].replace("__Host-", "")
            client.cookies.clear()
            assert (await client.get("/api/v1/me", headers={"Cookie": plain})).status_code == 401
            foreign = site.base.replace("https", "http")
            refused = await client.post("/api/v1/login", json={}, headers={"Origin": foreign})
            assert refused.status_code == 403


async def test_behind_a_proxy_its_word_is_taken(tmp_path: Path) -> None:
    async with running_site(tmp_path, proxies=("127.0.0.0/8",)) as site, site.client() as client:
        headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "10.9.9.9", "Origin": "https://ridge.example"}
        login = await client.post(
            "/api/v1/login",
            json={"name": "ada", "password": PASSWORD},
            headers={**headers, "Host": "ridge.example"},
        )
        assert login.headers["set-cookie"].startswith("__Host-longwatch=")
        for _ in range(10):
            wrong = {"name": "ada", "password": "wrong password"}
            await client.post("/api/v1/login", json=wrong, headers={"X-Forwarded-For": "10.1.1.1"})
        other = await client.post("/api/v1/login", json=wrong, headers={"X-Forwarded-For": "10.2.2.2"})
        same = await client.post("/api/v1/login", json=wrong, headers={"X-Forwarded-For": "10.1.1.1"})
        assert (other.status_code, same.status_code) == (401, 429)
