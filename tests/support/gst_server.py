"""An RTSP server that nobody here wrote: GStreamer's, run by the system's Python (`python3-gi`, `gir1.2-gst-rtsp-server-1.0`).

Run as a script by /usr/bin/python3: one line of JSON on standard input, {"mounts": {path: pipeline}, "user", "password"};
one line out, {"port"}; ends when standard input ends. It imports nothing of ours.
"""

import json
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402 - the versions must be named before


def permissions():
    """Who is signed in may see and play."""
    found = GstRtspServer.RTSPPermissions()
    for right in ("media.factory.access", "media.factory.construct"):
        found.add_permission_for_role("viewer", right, True)
    return found


def digest(user, password):
    """Digest (MD5) logins only."""
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_digest(user, password, token)
    return auth


def main():
    """Serve the mounts."""
    wanted = json.loads(sys.stdin.readline())
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    if wanted.get("user"):
        server.set_auth(digest(wanted["user"], wanted["password"]))
    for path, pipeline in wanted["mounts"].items():
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(f"( {pipeline} )")
        factory.set_shared(True)
        if wanted.get("user"):
            factory.set_permissions(permissions())
        server.get_mount_points().add_factory(path, factory)
    server.attach(None)
    print(json.dumps({"port": server.get_bound_port()}), flush=True)
    loop = GLib.MainLoop()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.quit()), daemon=True).start()
    loop.run()


if __name__ == "__main__":
    main()
