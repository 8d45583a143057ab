import pytest

from longwatch.formats.rtsp.auth import Authenticator, Challenge, Login, challenges, strongest


def test_the_examples_of_rfc_7616() -> None:
    """RFC 7616, 3.9.1: Mufasa, for both algorithms."""
    offered = challenges(
        [
            (
                'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, '
                'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
            ),
            (
                'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5, '
                'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
            ),
        ]
    )
    login = Login("Mufasa", "Circle of Life")
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    expected = ["753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1", "8ca523f5e9506fed4657c9700eebdbec"]
    for challenge, response in zip(offered, expected, strict=True):
        value = Authenticator(challenge, login, cnonce).header("GET", "/dir/index.html")
        assert f'response="{response}"' in value
        assert "nc=00000001" in value
    assert strongest(offered) is offered[0]


def test_auth_int_alone_hashes_the_body() -> None:
    challenge = challenges(['Digest realm="r", nonce="n", qop="auth-int"'])[0]
    login = Login("u", "p")
    with_body = Authenticator(challenge, login, "c").header("PLAY", "rtsp://c", b"body")
    assert "qop=auth-int" in with_body
    assert with_body != Authenticator(challenge, login, "c").header("PLAY", "rtsp://c")


def test_session_algorithms() -> None:
    value = Authenticator(
        challenges(['Digest realm="r",nonce="n",algorithm=md5-sess'])[0], Login("u", "p"), "c"
    ).header("A", "b")
    assert "algorithm=MD5-sess" in value
    assert 'cnonce="c"' in value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('Basic realm="x"', [Challenge("basic", "x")]),
        ("Basic", [Challenge("basic")]),
        ('Digest realm="a, Basic b", nonce="n"', None),
        ('Digest realm="r", nonce="n", stale=TRUE', [Challenge("digest", "r", "n", stale=True)]),
        ("Digest realm=bare, nonce=bare2", [Challenge("digest", "bare", "bare2")]),
        (r'Digest realm="quo\"te", nonce="n"', [Challenge("digest", 'quo"te', "n")]),
        ('Digest realm="r"', []),
        ('Digest realm="r", nonce="n", algorithm=SHA-1', []),
        ('Digest realm="r", nonce="n", qop="token"', []),
        ('Basic realm="x", Digest realm="r", nonce="n"', [Challenge("basic", "x"), Challenge("digest", "r", "n")]),
        ("Negotiate abc", []),
        ("", []),
    ],
)
def test_challenges_as_they_are_written(value: str, expected: list[Challenge] | None) -> None:
    found = challenges([value])
    if expected is None:  # a comma inside quotes must not make a weaker offer win
        assert strongest(found) == Challenge("digest", "a, Basic b", "n")
    else:
        assert found == expected


def test_nothing_secret_shows() -> None:
    assert "hunter2" not in repr(Login("admin", "hunter2"))
