"""Tokens of an OpenID Connect issuer, against a real one: which open something, and what a bad issuer may do to us."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.app import ENDPOINTS
from gateway.identity.config import OidcConfig
from tests.support.gateways import API, ENVELOPE, RunningGateway, stream_of
from tests.support.issuer import AUDIENCE, Issuer, assembled, issuer, signing_key
from tests.support.waiting import eventually

Start = Callable[..., Awaitable[RunningGateway]]
RUNS = f"{API}/runs"
DISCOVERY = "/.well-known/openid-configuration"
NOWHERE = "01900000-0000-7000-8000-00000000dead"
LEEWAY_SECONDS = 30


@pytest.fixture
async def ours() -> AsyncIterator[Issuer]:
    async with issuer() as made:
        yield made


def config(ours: Issuer, **more: Any) -> OidcConfig:
    return OidcConfig(
        **{
            "issuer": ours.url,
            "audience": (AUDIENCE,),
            "allow_private": True,
            "keys_gap_seconds": 0.2,
            **more,
        }
    )


@pytest.fixture
async def gateway(ours: Issuer, start_gateway: Start) -> RunningGateway:
    """A gateway that knows this issuer."""
    return await start_gateway(oidc=config(ours))


async def asked(gateway: RunningGateway, token: str, path: str = RUNS) -> tuple[int, dict[str, Any]]:
    answer, body = await gateway.get(path, Authorization=f"Bearer {token}")
    return answer.status, body


async def status(gateway: RunningGateway, token: str, path: str = RUNS) -> int:
    return (await asked(gateway, token, path))[0]


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_a_good_token_opens_what_its_roles_say(
    ours: Issuer, start_gateway: Start, algorithm: str
) -> None:
    ours.keys = [signing_key("other", "ES256"), signing_key("k", algorithm)]
    gateway = await start_gateway(oidc=config(ours))
    token = ours.token(ours.keys[1])
    assert await status(gateway, token) == 200
    assert await status(gateway, token, f"{API}/tokens") == 403
    answer, run = await gateway.post(RUNS, ENVELOPE, Authorization=f"Bearer {token}")
    assert answer.status == 202
    assert (await gateway.store.load(run["runId"])).submitted_by == "ada"
    assert await status(gateway, "no-token-of-ours") == 401
    assert (await gateway.get(RUNS))[0].status == 401


BAD: dict[str, Callable[[Issuer], str]] = {
    "expired": lambda i: i.token(life_seconds=-LEEWAY_SECONDS - 5),
    "not valid yet": lambda i: i.token(nbf=int(time.time()) + LEEWAY_SECONDS + 60),
    "made in the future": lambda i: i.token(iat=int(time.time()) + LEEWAY_SECONDS + 60),
    "for another audience": lambda i: i.token(aud="billing"),
    "for other audiences": lambda i: i.token(aud=["billing", "flexrun2"]),
    "for no audience": lambda i: i.token(aud=None),
    "of another issuer": lambda i: i.token(iss="https://evil.example"),
    "of an issuer with a slash more": lambda i: i.token(iss=i.url + "/"),
    "without issuer": lambda i: i.token(iss=None),
    "without end": lambda i: i.token(exp=None),
    "with an end that is none": lambda i: i.token(exp="soon"),
    "with an end beyond numbers": lambda i: i.token(exp=float("inf")),
    "without a name": lambda i: i.token(sub=None, preferred_username=None),
    "with a blank name": lambda i: i.token(sub=" ", preferred_username=" "),
    "an ID token": lambda i: i.token(typ="ID"),
    "a refresh token": lambda i: i.token(typ="Refresh"),
    "a logout token": lambda i: i.token(header={"typ": "logout+jwt"}),
    "bound to a key": lambda i: i.token(cnf={"jkt": "x"}),
    "signed by another key": lambda i: i.token(signing_key("first", "RS256", 2056)),
    "signed by an unknown key": lambda i: i.token(signing_key("unknown", "RS256", 2064)),
    "with a key id that is a path": lambda i: i.token(header={"kid": "../../../../dev/null"}),
    "with a key id that is an address": lambda i: i.token(header={"kid": i.url + "/mine"}),
    "with a key id that is SQL": lambda i: i.token(header={"kid": "' or 1=1 --"}),
    "with a long key id": lambda i: i.token(header={"kid": "k" * 3_000}),
    "another algorithm than the key's": lambda i: jwt.encode(
        {"iss": i.url, "aud": AUDIENCE, "sub": "x", "exp": time.time() + 60},
        i.keys[0].private, "RS512", {"kid": "first"},
    ),
    "with something critical": lambda i: i.token(header={"crit": ["exp"]}),
    "of the algorithm none": lambda i: assembled(
        {"alg": "none", "kid": "first"}, {"iss": i.url, "aud": AUDIENCE, "sub": "x", "exp": time.time() + 60}
    ),
    "of the algorithm nOnE": lambda i: assembled(
        {"alg": "nOnE"}, {"iss": i.url, "aud": AUDIENCE, "sub": "x", "exp": time.time() + 60}
    ),
    "without algorithm": lambda i: assembled({"kid": "first"}, {"iss": i.url}),
    "with a list as algorithm": lambda i: assembled({"alg": ["RS256"]}, {"iss": i.url}),
    "with a number as key id": lambda i: assembled({"alg": "RS256", "kid": 1}, {"iss": i.url}),
    "without signature": lambda i: i.token().rpartition(".")[0] + ".",
    "with a changed claim": lambda i: _with_admin(i.token()),
    "with a deep header": lambda i: assembled({"alg": "RS256"}, {}).replace("eyJ", "eyJ", 1) + "." + "W" * 900,
    "of dots": lambda _: "eyJ..",
    "of nothing": lambda _: "eyJ.eyJ.eyJ",
}  # fmt: skip


def _with_admin(token: str) -> str:
    head, _, signature = token.split(".")
    claims = jwt.decode(token, options={"verify_signature": False})
    changed = assembled({}, {**claims, "roles": ["flexrun:admin"]}).split(".")[1]
    return f"{head}.{changed}.{signature}"


@pytest.mark.parametrize("name", BAD)
async def test_any_other_token_opens_nothing(
    ours: Issuer, gateway: RunningGateway, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    token = BAD[name](ours)
    answered, problem = await asked(gateway, token)
    assert (answered, problem["code"]) == (401, "unauthorized")
    assert ours.fetches <= 2
    assert "Traceback" not in capfd.readouterr().err
    assert await status(gateway, ours.token()) == 200


async def test_the_public_key_is_no_secret_to_sign_with(ours: Issuer, gateway: RunningGateway) -> None:
    public = ours.keys[0].private.public_key()
    claims = {"iss": ours.url, "aud": AUDIENCE, "sub": "x", "exp": int(time.time()) + 60}
    for secret in (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(ours.keys[0].jwk).encode(),
    ):
        signed = jwt.PyJWS().encode(b"", b"x" * 32, "HS256")  # its form; the signature is made below
        assert signed.startswith("eyJ")
        token = _hs256(claims, secret)
        assert await status(gateway, token) == 401


def _hs256(claims: dict[str, Any], secret: bytes) -> str:
    import hashlib  # noqa: PLC0415 - by hand: the library refuses to sign with a public key
    import hmac  # noqa: PLC0415 - the same

    body = assembled({"alg": "HS256", "typ": "JWT", "kid": "first"}, claims).rpartition(".")[0]
    mac = hmac.digest(secret, body.encode(), hashlib.sha256)
    return assembled({"alg": "HS256", "typ": "JWT", "kid": "first"}, claims, mac)


async def test_a_shared_secret_that_the_issuer_publishes_counts_for_nothing(
    ours: Issuer, gateway: RunningGateway
) -> None:
    await eventually(lambda: ours.fetches == 1)

    async def with_secret(_: web.Request) -> web.Response:
        secret = {
            "kty": "oct",
            "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA",
            "kid": "hs",
            "alg": "HS256",
        }
        return web.json_response({"keys": [secret, {"kty": "RSA"}, 7, None, ours.keys[0].jwk]})

    ours.answers["/keys"] = with_secret
    token = _hs256(
        {"iss": ours.url, "aud": AUDIENCE, "exp": int(time.time()) + 60},
        b"secret-secret-secret-secret-secret",
    )
    assert await status(gateway, token) == 401
    assert await status(gateway, ours.token()) == 200


async def test_where_a_token_says_its_key_is_nobody_looks(ours: Issuer, gateway: RunningGateway) -> None:
    mine = signing_key("first", "RS256", 2072)
    for place in (
        {"jku": f"{ours.url}/evil"}, {"x5u": f"{ours.url}/evil"}, {"jwk": mine.jwk}, {"x5c": ["MIIB"]},
        {"jku": f"{ours.url}/evil", "kid": "", "jwk": mine.jwk},
    ):  # fmt: skip
        assert await status(gateway, ours.token(mine, header=place)) == 401
    assert "/evil" not in ours.asked


@pytest.mark.filterwarnings(
    "ignore::jwt.warnings.InsecureKeyLengthWarning"
)  # it is refused, which is the point
async def test_short_and_foreign_keys_are_passed_over(ours: Issuer, gateway: RunningGateway) -> None:
    weak, wrong_use = signing_key("weak", "RS256", 1024), signing_key("enc", "RS256")

    async def published(_: web.Request) -> web.Response:
        return web.json_response({"keys": [weak.jwk, {**wrong_use.jwk, "use": "enc"}, ours.keys[0].jwk]})

    ours.answers["/keys"] = published
    assert await status(gateway, ours.token()) == 200
    assert await status(gateway, ours.token(wrong_use)) == 401
    assert await status(gateway, ours.token(weak)) == 401


async def test_without_a_key_id_there_may_be_one_key_only(ours: Issuer, start_gateway: Start) -> None:
    ours.keys = [signing_key(None)]
    gateway = await start_gateway(oidc=config(ours))
    assert await status(gateway, ours.token()) == 200
    alone = ours.token()
    ours.keys = [signing_key(None), signing_key(None, "RS256", 2080), signing_key("ec", "ES256")]
    await _fetched_again(gateway, ours)
    assert await status(gateway, alone) == 401


async def _fetched_again(gateway: RunningGateway, ours: Issuer) -> None:
    """Until the gateway has the keys that are published now."""
    before = ours.fetches

    async def has() -> bool:
        await status(gateway, ours.token(signing_key("nobody's", "ES256")))
        return ours.fetches > before

    await eventually(has)


@pytest.mark.parametrize(("seconds", "expected"), [(LEEWAY_SECONDS - 10, 200), (LEEWAY_SECONDS + 10, 401)])
async def test_clocks_may_differ_by_the_leeway_and_not_by_more(
    ours: Issuer, gateway: RunningGateway, seconds: int, expected: int
) -> None:
    now = int(time.time())
    assert await status(gateway, ours.token(exp=now - seconds)) == expected
    assert await status(gateway, ours.token(nbf=now + seconds)) == expected
    assert await status(gateway, ours.token(iat=now + seconds)) == expected


async def test_a_new_key_is_fetched_and_one_that_is_removed_counts_no_more(
    ours: Issuer, start_gateway: Start
) -> None:
    gateway = await start_gateway(oidc=config(ours, keys_fresh_seconds=0.3))
    old = ours.keys[0]
    assert await status(gateway, ours.token(old)) == 200
    new = signing_key("second", "ES256")
    ours.keys = [new, old]

    async def opens() -> bool:
        return await status(gateway, ours.token(new)) == 200

    await eventually(opens)
    assert await status(gateway, ours.token(old)) == 200
    run_id = (await gateway.post(RUNS, ENVELOPE, Authorization=f"Bearer {ours.token(new)}"))[1]["runId"]
    async with stream_of(gateway, run_id, Authorization=f"Bearer {ours.token(old)}") as stream:
        await stream.until_type("start")
        ours.keys = [new]

        async def is_refused() -> bool:
            return await status(gateway, ours.token(old)) == 401

        await eventually(is_refused)
        await stream.to_end()
    assert await status(gateway, ours.token(new)) == 200


async def test_unknown_keys_fetch_once_in_a_while_and_not_for_each_request(
    ours: Issuer, start_gateway: Start
) -> None:
    gateway = await start_gateway(oidc=config(ours, keys_gap_seconds=3_600.0), wrong_tokens_a_minute=1_000)
    assert await status(gateway, ours.token()) == 200
    wrong = [
        ours.token(signing_key("first", "RS256", 2056), header={"kid": f"k{number}"}) for number in range(50)
    ]
    answers = await asyncio.gather(*(status(gateway, token) for token in wrong for _ in range(4)))
    assert set(answers) == {401}
    assert ours.fetches == 1


async def test_while_the_issuer_is_away_known_keys_count_and_then_it_is_503_with_a_word(
    ours: Issuer, start_gateway: Start
) -> None:
    gateway = await start_gateway(
        tokens="secret-of-ada=ada:admin",
        oidc=config(ours, keys_fresh_seconds=0.1, keys_gap_seconds=0.1, keys_keep_seconds=1.5),
    )
    assert await status(gateway, ours.token()) == 200

    async def broken(_: web.Request) -> web.Response:
        return web.Response(status=500)

    oidc = gateway.gateway.deps.tokens.oidc
    assert oidc is not None
    ours.answers[DISCOVERY] = broken
    await eventually(lambda: oidc.keys.trouble is not None)
    assert await status(gateway, ours.token()) == 200

    async def unavailable() -> bool:
        answer, body = await gateway.get(RUNS, Authorization=f"Bearer {ours.token()}")
        return (answer.status, body.get("code")) == (
            503,
            "identity_unavailable",
        ) and "Retry-After" in answer.headers

    await eventually(unavailable)
    assert await status(gateway, "secret-of-ada") == 200
    del ours.answers[DISCOVERY]

    async def back() -> bool:
        return await status(gateway, ours.token()) == 200

    await eventually(back)


async def _hangs(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


async def _endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(160):
        await response.write(b" " * 65_536)
    return response


async def _redirects_to_itself(request: web.Request) -> web.Response:
    raise web.HTTPFound(request.path)


async def _is_another(_: web.Request) -> web.Response:
    return web.json_response({"issuer": "https://evil.example", "jwks_uri": "https://evil.example/keys"})


async def _names_a_file(request: web.Request) -> web.Response:
    return web.json_response({"issuer": f"http://{request.host}", "jwks_uri": "file:///etc/passwd"})


async def _names_plain_http(request: web.Request) -> web.Response:
    return web.json_response({"issuer": f"http://{request.host}", "jwks_uri": "http://id.example/keys"})


async def _is_a_list(_: web.Request) -> web.Response:
    return web.json_response([])


@pytest.mark.parametrize(
    ("path", "answer", "words"),
    [
        (DISCOVERY, _hangs, "did not answer within"),
        ("/keys", _hangs, "did not answer within"),
        (DISCOVERY, _endless, "more than 524,288 bytes"),
        ("/keys", _endless, "more than 524,288 bytes"),
        (DISCOVERY, _redirects_to_itself, "redirects more than 3 times"),
        (DISCOVERY, _is_another, "of another issuer"),
        (DISCOVERY, _names_a_file, "neither https nor on this machine"),
        (DISCOVERY, _names_plain_http, "neither https nor on this machine"),
        ("/keys", _is_a_list, "no object"),
    ],
)
async def test_an_issuer_that_misbehaves_stops_nobody_else(
    ours: Issuer, start_gateway: Start, path: str, answer: Any, words: str
) -> None:
    ours.answers[path] = answer
    gateway = await start_gateway(tokens="secret-of-ada=ada:admin", oidc=config(ours))
    waiting = asyncio.create_task(status(gateway, ours.token()))
    for _ in range(20):
        began = time.monotonic()
        assert await status(gateway, "secret-of-ada") == 200
        assert time.monotonic() - began < 4
    assert await waiting == 503
    oidc = gateway.gateway.deps.tokens.oidc
    assert oidc is not None
    assert words in str(oidc.keys.trouble)


async def test_an_issuer_with_a_private_address_takes_a_setting(ours: Issuer, start_gateway: Start) -> None:
    gateway = await start_gateway(oidc=config(ours, allow_private=False))
    assert await status(gateway, ours.token()) == 503
    oidc = gateway.gateway.deps.tokens.oidc
    assert oidc is not None
    assert "FLEXRUN_OIDC_ALLOW_PRIVATE=true" in str(oidc.keys.trouble)
    assert ours.asked == {}


async def test_a_token_of_a_megabyte_is_refused_before_it_is_read(
    ours: Issuer, gateway: RunningGateway
) -> None:
    answer, problem = await gateway.get(RUNS, Authorization="Bearer eyJ" + "a" * 1_000_000 + ".b.c")
    assert (answer.status, problem["code"]) == (400, "request_unreadable")
    tokens = gateway.gateway.deps.tokens
    with pytest.raises(Exception, match="16,384 characters at most"):
        await tokens.identify("eyJ" + "a" * 1_000_000 + ".b.c")


async def test_a_stream_ends_with_its_token_and_goes_on_with_a_new_one(
    ours: Issuer, start_gateway: Start
) -> None:
    gateway = await start_gateway(oidc=config(ours, leeway_seconds=0))
    run_id = (await gateway.post(RUNS, ENVELOPE, Authorization=f"Bearer {ours.token()}"))[1]["runId"]
    short = ours.token(life_seconds=3)
    async with (
        stream_of(gateway, run_id, Authorization=f"Bearer {short}") as ends,
        stream_of(gateway, run_id, Authorization=f"Bearer {ours.token()}") as stays,
    ):
        await ends.until_type("start")
        await stays.until_type("start")
        await ends.to_end()
        assert time.time() >= jwt.decode(short, options={"verify_signature": False})["exp"]
        seen = ends.ids[-1]
        answer, problem = await gateway.get(f"{RUNS}/{run_id}/events", Authorization=f"Bearer {short}")
        assert (answer.status, problem["detail"]) == (
            401,
            "This token has expired; get a new one from its issuer.",
        )
        headers = {"Authorization": f"Bearer {ours.token()}", "Last-Event-ID": str(seen)}
        async with stream_of(gateway, run_id, **headers) as again:
            await gateway.post(f"{RUNS}/{run_id}/abort", {}, Authorization=f"Bearer {ours.token()}")
            await again.to_end()
            await stays.to_end()
    assert stays.types[-1] == again.types[-1] == "complete"
    assert ends.ids + again.ids == stays.ids


CLAIMS: list[tuple[dict[str, Any], dict[str, Any], str, set[str], set[str]]] = [
    # of the configuration, of the token, → name, roles, scopes
    ({}, {"realm_access": {"roles": ["legal", "flexrun:runs:read"]}}, "ada", {"legal"}, {"runs:read"}),
    (
        {}, {"realm_access": {"roles": ["flexrun:viewer", "@admin", "flexrun:@admin"]}},
        "ada", set(), {"runs:read"},
    ),
    (
        {}, {"preferred_username": None, "permissions": ["flexrun:admin"], "realm_access": None},
        "id-of-ada", set(), {"admin"},
    ),
    ({}, {"realm_access": {"roles": ["admin"]}, "scope": "openid admin runs:read"}, "ada", {"admin"}, set()),
    (
        {}, {"realm_access": None, "scope": "openid flexrun:runs:read flexrun:hitl:respond"},
        "ada", set(), {"runs:read", "hitl:respond"},
    ),
    (
        {"role_claims": ("resource_access.my.app.roles", "https://acme.example/roles"), "name_claims": ("user.email",)},
        {
            "resource_access": {"my.app": {"roles": ["a"]}, "other": {"roles": ["b"]}},
            "https://acme.example/roles": ["c"],
            "user": {"email": "ada@acme.example"},
        },
        "ada@acme.example", {"a", "c"}, set(),
    ),
    ({"scope_prefix": ""}, {"realm_access": None, "permissions": ["runs:read", "root"]}, "ada", set(), {"runs:read"}),
    (
        {}, {"realm_access": "legal", "roles": {"a": 1}, "scope": 7, "scp": [7, None, "flexrun:runs:read"]},
        "ada", set(), {"runs:read"},
    ),
]  # fmt: skip


@pytest.mark.parametrize("row", range(len(CLAIMS)))
async def test_claims_become_a_name_roles_and_scopes(ours: Issuer, start_gateway: Start, row: int) -> None:
    settings, claims, name, roles, scopes = CLAIMS[row]
    gateway = await start_gateway(oidc=config(ours, **settings))
    caller = await gateway.gateway.deps.tokens.identify(ours.token(**claims))
    assert (caller.actor.name, set(caller.actor.roles), caller.scopes) == (name, roles, scopes)
    assert caller.actor.verified


async def test_a_tenant_comes_from_its_claim_and_a_token_without_one_is_refused(
    ours: Issuer, start_gateway: Start
) -> None:
    gateway = await start_gateway(oidc=config(ours, tenant_claim="organization.id"))
    tokens = gateway.gateway.deps.tokens
    assert (await tokens.identify(ours.token(organization={"id": "acme"}))).tenant == "acme"
    wrongs: list[dict[str, Any]] = [
        {}, {"organization": "acme"}, {"organization": {"id": "A B"}}, {"organization": {"id": ["acme"]}},
    ]  # fmt: skip
    for wrong in wrongs:
        answered, problem = await asked(gateway, ours.token(**wrong))
        assert (answered, "organization.id" in problem["detail"]) == (401, True)


async def test_people_of_the_issuer_may_be_many_with_roles_that_nobody_knows_before_they_come(
    ours: Issuer, start_gateway: Start
) -> None:
    gateway = await start_gateway(tokens="secret-of-bob=bob", oidc=config(ours))
    envelope = {**ENVELOPE, "policies": {"hitl": {"approvers": ["legal"], "quorum": 2}}}
    answer, body = await gateway.post(RUNS, envelope, Authorization=f"Bearer {ours.token()}")
    assert answer.status == 202, body
    alone = await start_gateway(tokens="secret-of-bob=bob")
    answer, body = await alone.post(RUNS, envelope, Authorization="Bearer secret-of-bob")
    assert (answer.status, body["errors"][0]["code"]) == (400, "unmeetable")


async def test_a_token_for_claiming_work_opens_nothing_else(ours: Issuer, gateway: RunningGateway) -> None:
    headers = {"Authorization": f"Bearer {ours.token(realm_access={'roles': ['flexrun:work:claim']})}"}
    opened = set[str]()
    for endpoint in ENDPOINTS:
        if endpoint.open:
            continue
        url = gateway.url + endpoint.path.replace("{", "").replace("}", "")
        body = b'{"nothing": "known"}' if endpoint.method == "post" else None
        async with gateway.http.request(endpoint.method, url, data=body, headers=headers) as answer:
            assert answer.status != 401
            if answer.status != 403:
                opened.add(endpoint.name)
    assert opened == {each.name for each in ENDPOINTS if not each.open and each.needs == ("work:claim",)}


@pytest.mark.parametrize(
    "address",
    [
        "http://id.example",
        "ftp://id.example",
        "https://a:b@id.example",
        "https://id.example?x=1",
        "id.example",
        "",
    ],
)
def test_an_issuer_must_be_an_address_that_can_be_trusted(address: str) -> None:
    with pytest.raises(ValueError, match="the issuer must be an https address"):
        OidcConfig(issuer=address, audience=("flexrun",))


def test_algorithms_with_a_shared_secret_and_missing_audiences_are_refused() -> None:
    with pytest.raises(ValueError, match="algorithms"):
        OidcConfig(issuer="https://id.example", audience=("a",), algorithms=("HS256",))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="audience"):
        OidcConfig(issuer="https://id.example", audience=())
