"""One HTTP client for all questions to posts and hubs: `httpx.get` reads every root certificate of the machine each time, 20 ms and more of processor."""

from __future__ import annotations

import functools
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx


@functools.cache
def http() -> httpx.Client:
    """It keeps nothing between two questions: no cookie, and no connection to a server that is killed and started again."""
    return httpx.Client(
        limits=httpx.Limits(max_keepalive_connections=0), cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        timeout=180, trust_env=False,
    )  # fmt: skip
