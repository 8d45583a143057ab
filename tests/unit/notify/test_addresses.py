"""What an address of Apprise may not do: name a file of this machine."""

from __future__ import annotations

import pytest

from longwatch.base.errors import UsageError
from longwatch.notify.apprise_channel import AppriseChannel, plugin_of


@pytest.mark.parametrize(
    "url",
    [
        "tgram://123456789:abcdefg_hijklmnop/12315544/?template=/var/lib/longwatch/secrets.env",
        "tgram://123456789:abcdefg_hijklmnop/12315544/?x=y&Template=secrets.env",
        "tgram://123456789:abcdefg_hijklmnop/12315544/?t%65mplate=secrets.env",
        "tgram://123456789:abcdefg_hijklmnop/12315544/?+template+=secrets.env",
        "https://discord.com/api/webhooks/0000000000/abcdefghijklmnop?template=file:///etc/passwd",
        "fcm://project@key/device?keyfile=/etc/longwatch/x.json",
        "vapid://a@example.org/x?subfile=/etc/passwd",
        "mailtos://me:pw@example.org?pgpprv=/etc/longwatch/key.asc",
    ],
)
def test_no_file_of_this_machine_is_named(url: str) -> None:
    for made in (plugin_of, AppriseChannel):
        with pytest.raises(UsageError, match="no file") as refused:
            made(url)
        assert url not in str(refused.value)


def test_an_id_of_a_template_at_the_service_is_none() -> None:
    assert plugin_of("sendgrid://abcdefghijkl:me@example.org/you@example.org?template=d-0123456789") is not None
