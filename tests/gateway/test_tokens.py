"""Who may call, and which configurations of tokens are valid."""

from collections.abc import Awaitable, Callable

import pytest

from gateway.auth import BindRefused, Tokens, TokensInvalid, check_bind
from runs.commands import Actor
from tests.support.by_hand import ByHand
from tests.support.gateways import API, ENVELOPE, RunningGateway, stream_of

Start = Callable[..., Awaitable[RunningGateway]]
TOKENS = "secret-of-ada=ada:editor,legal;secret-of-bob=bob"


@pytest.mark.parametrize(
    "text",
    [
        TOKENS,
        f"  {TOKENS} ;\n ",
        '{"secret-of-ada": {"name": "ada", "roles": ["editor", "legal"]}, "secret-of-bob": "bob"}',
    ],
)
def test_both_formats_say_the_same(text: str) -> None:
    tokens = Tokens.parse(text)
    assert tokens.configured
    assert tokens.actor("secret-of-ada") == Actor("ada", ("editor", "legal"), verified=True)
    assert tokens.actor("secret-of-bob") == Actor("bob", (), verified=True)
    for wrong in ("", "secret-of-ad", "secret-of-ada ", "ada", "sécret-of-ada", "secret-of-ada\udcff"):
        assert tokens.actor(wrong) is None


def test_a_token_may_hold_the_signs_of_base64() -> None:
    assert Tokens.parse("c2VjcmV0LW9mLWFkYQ===ada").actor("c2VjcmV0LW9mLWFkYQ==") is not None


@pytest.mark.parametrize(
    "text",
    [
        "just-a-token",
        "=ada",
        "token-of-ada=",
        "token-of-ada= :editor",
        "short=ada",
        "token-of-ada=ada;token-of-ada=bob",
        '{"token-of-ada": 3}',
        '{"token-of-ada": {"roles": ["editor"]}}',
        '{"token-of-ada": {"name": "ada", "roles": "editor"}}',
        '{"token-of-ada": ',
    ],
)
def test_tokens_that_cannot_be_meant_are_refused_without_showing_them(text: str) -> None:
    with pytest.raises(TokensInvalid) as caught:
        Tokens.parse(text)
    assert "token-of-ada" not in str(caught.value)


@pytest.mark.parametrize("text", [None, "", "  \n"])
def test_nothing_means_no_tokens(text: str | None) -> None:
    assert not Tokens.parse(text).configured


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.8.8.8"])
def test_loopback_needs_no_tokens(host: str) -> None:
    check_bind(host, Tokens({}))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.4", "example.com", "localhost.example.com"])  # noqa: S104 - that is the point
def test_any_other_address_needs_tokens(host: str) -> None:
    with pytest.raises(BindRefused, match="FLEXRUN_TOKENS"):
        check_bind(host, Tokens({}))
    check_bind(host, Tokens.parse(TOKENS))


WRONG = (
    None,
    "",
    "Bearer",
    "Bearer ",
    "Bearer wrong-token",
    "Basic c2VjcmV0LW9mLWFkYQ==",
    "secret-of-ada",
)


async def test_a_wrong_token_is_401_and_stores_nothing(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=TOKENS)
    for authorization in WRONG:
        headers = {"Authorization": authorization} if authorization is not None else {}
        for path in ("run.stream", "runs"):
            answer, problem = await gateway.post(f"{API}/{path}", ENVELOPE, **headers)
            assert (answer.status, problem["code"]) == (401, "unauthorized"), authorization
            assert answer.headers["WWW-Authenticate"].startswith("Bearer realm=")
            assert answer.content_type == "application/problem+json"
    assert set((await gateway.rows()).values()) == {0}


async def test_without_a_token_only_health_readiness_and_openapi_answer(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=TOKENS)
    for path in ("/healthz", "/readyz", "/openapi.json", "/openapi-3.0.json"):
        assert (await gateway.get(path))[0].status == 200
    for path in (f"{API}/runs", f"{API}/capabilities", "/nowhere", f"{API}/runs/x/events"):
        assert (await gateway.get(path))[0].status == 401


async def test_the_name_of_the_token_is_who_submitted_and_who_aborts(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=TOKENS)
    _, run = await gateway.post(f"{API}/runs", ENVELOPE, Authorization="Bearer secret-of-ada")
    state = await gateway.store.load(run["runId"])
    assert state.submitted_by == "ada"
    body = {"operator": "mallory", "reason": "no"}
    answer, _ = await gateway.post(
        f"{API}/runs/{run['runId']}/abort", body, Authorization="bearer secret-of-bob"
    )
    assert answer.status == 200
    (_, end) = await gateway.store.read(run["runId"])
    assert end.payload["error"]["details"]["operator"] == "bob"
    assert (end.detail or {})["claimedOperator"] == "mallory"


async def test_a_token_in_the_query_opens_streams_and_nothing_else(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=TOKENS)
    _, run = await gateway.post(f"{API}/runs", ENVELOPE, Authorization="Bearer secret-of-ada")
    await ByHand(gateway.handler, run["runId"]).to_the_end()
    async with stream_of(gateway, run["runId"], "?access_token=secret-of-ada") as stream:
        assert (await stream.to_end()).types[-1] == "complete"
    query = "?access_token=secret-of-ada"
    assert (await gateway.get(f"{API}/runs/{run['runId']}/events?access_token=wrong"))[0].status == 401
    assert (await gateway.get(f"{API}/runs{query}"))[0].status == 401
    assert (await gateway.post(f"{API}/runs{query}", ENVELOPE))[0].status == 401
