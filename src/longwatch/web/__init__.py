"""API and pages: FastAPI, every route with a policy or it does not start.

Comes in: `Deps`, handed in by `node` (accounts, the archive to read, the socket to the recorder, live, the site). Goes
out: an ASGI app. Promises: rights are checked before anything of a request is parsed; every error is
`{"what", "why", "remedy"}`; no known secret stands in an answer; no path of a request meets the file system. State: none.
"""

from longwatch.web.app import create_app
from longwatch.web.deps import Deps, Index, Options, Site, SiteCamera
from longwatch.web.guard import Guard, UnguardedRouteError

__all__ = ["Deps", "Guard", "Index", "Options", "Site", "SiteCamera", "UnguardedRouteError", "create_app"]
