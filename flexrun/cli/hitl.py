"""`flexrun hitl …`: requests that wait for a person, and responses to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flexrun.api import GatewayProblemError
from flexrun.cli import links
from flexrun.cli.context import (
    ClientFilter,
    CommandContext,
    Document,
    JsonFlag,
    LimitFlag,
    NoteFlag,
    OperatorFlag,
    ReasonFlag,
    RoleFilter,
    RunFilter,
    ThreadFilter,
    TokenFlag,
    UrlFlag,
    document,
    facts,
    given,
    heading,
    in_path,
    print_json,
    read_json,
    short_time,
    table,
    words,
)
from flexrun.cli.plan import cost_line, plan_tree
from flexrun.cli.shared import stop
from schemas.visible import visible

if TYPE_CHECKING:
    from flexrun.client import GatewayClient

app = typer.Typer(help="What waits for a person: list, show, decide.", no_args_is_help=True)
app.add_typer(links.app, name="links")

RequestArgument = Annotated[
    str, typer.Argument(metavar="REQUEST", help="the request's id, or that of a run with one open request")
]
VersionFlag = Annotated[
    int | None, typer.Option("--plan-version", min=1, help="refuse if the plan is at another version by now")
]
HashFlag = Annotated[
    str | None,
    typer.Option(
        "--expected-output-hash",
        metavar="SHA256",
        help="refuse if another output than this is asked about by now (`flexrun hitl show` prints the hash)",
    ),
]


@app.command(name="list")
def list_requests(  # noqa: PLR0913, PLR0917 - a command's parameters are its flags
    run: RunFilter = None,
    thread: ThreadFilter = None,
    client: ClientFilter = None,
    role: RoleFilter = None,
    limit: LimitFlag = 50,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """What waits for a decision, oldest first."""
    query = {"runId": run, "threadId": thread, "clientId": client, "role": role, "limit": limit}
    context = CommandContext(url, token, as_json)
    context.show(context.get("/api/hitl/pending", query), _listed)


@app.command()
def show(
    request: RequestArgument,
    output: Annotated[bool, typer.Option("--output", help="print the pending output alone, as JSON")] = False,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """One request: the question, what is to be decided on, and the rules."""
    context = CommandContext(url, token, as_json)
    found = context.ask(lambda client: _find(client, request))
    if output:
        print_json(found.get("pendingOutput"))
        return
    context.show(found, _shown)


@app.command()
def approve(  # noqa: PLR0913, PLR0917 - a command's parameters are its flags
    request: RequestArgument,
    note: NoteFlag = None,
    operator: OperatorFlag = None,
    proposal: Annotated[
        str | None, typer.Option("--proposal", help="refuse if another proposal than this is there by now")
    ] = None,
    output_hash: HashFlag = None,
    plan_version: VersionFlag = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Say yes to what is asked, or to what somebody has proposed in its place."""
    said = _said(note, operator, plan_version)
    response = {"responseType": "approval", "expectedProposalId": proposal, "expectedOutputHash": output_hash}
    _respond(CommandContext(url, token, as_json), request, given(response), said)


@app.command()
def withdraw(
    request: RequestArgument,
    note: NoteFlag = None,
    operator: OperatorFlag = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Take your vote, or what you proposed, back; possible until enough have agreed."""
    said = _said(note, operator, None)
    _respond(CommandContext(url, token, as_json), request, {"responseType": "withdraw"}, said)


@app.command()
def reject(  # noqa: PLR0913, PLR0917 - a command's parameters are its flags
    request: RequestArgument,
    reason: ReasonFlag = None,
    operator: OperatorFlag = None,
    output_hash: HashFlag = None,
    plan_version: VersionFlag = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Say no; the run fails, plans anew or works once more, as its policy says."""
    said = _said(reason, operator, plan_version)
    response = given({"responseType": "rejection", "expectedOutputHash": output_hash})
    _respond(CommandContext(url, token, as_json), request, response, said)


@app.command()
def edit(  # noqa: PLR0913, PLR0917 - a command's parameters are its flags
    request: RequestArgument,
    file: Annotated[str, typer.Argument(help="the output, or the plan, as JSON; - for stdin")],
    note: NoteFlag = None,
    operator: OperatorFlag = None,
    output_hash: HashFlag = None,
    plan_version: VersionFlag = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Replace the output, or the plan, that is asked about, and approve it so. It is checked."""
    said = _said(note, operator, plan_version)
    response = given({"responseType": "edit", "expectedOutputHash": output_hash})
    response["editedOutput"] = read_json(file)
    _respond(CommandContext(url, token, as_json), request, response, said)


@app.command()
def answer(  # noqa: PLR0913, PLR0917 - a command's parameters are its flags
    request: RequestArgument,
    text: Annotated[str | None, typer.Argument(help="the answer in your own words")] = None,
    option: Annotated[str | None, typer.Option("--option", help="the id of one of the options")] = None,
    operator: OperatorFlag = None,
    output_hash: HashFlag = None,
    plan_version: VersionFlag = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Answer a question: with one of its options, or in your own words."""
    if option is None and text is None:
        stop("An answer is a TEXT, or --option ID, or both: the text is a remark then.")
    kind = "freeform" if option is None else "option"
    response = {"responseType": kind, "selectedOptionId": option, "freeformText": text}
    response["expectedOutputHash"] = output_hash
    _respond(
        CommandContext(url, token, as_json), request, given(response), _said(None, operator, plan_version)
    )


@app.command()
def remove(
    request: RequestArgument,
    reason: ReasonFlag = None,
    operator: OperatorFlag = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Take a request back: its run cannot go on and ends as aborted."""
    context = CommandContext(url, token, as_json)

    async def work(client: GatewayClient) -> Any:
        found = await _find(client, request)
        body = {"requestId": found["requestId"], "reason": reason, "operator": operator}
        return await client.call("POST", "/api/hitl/remove", given(body))

    context.show(context.ask(work), lambda shown: _outcome(context, shown))


@app.command()
def link(
    request: RequestArgument,
    name: Annotated[
        str | None, typer.Option("--for", help="the name or role in which the link decides; yours without it")
    ] = None,
    expires_in: Annotated[
        float | None, typer.Option("--expires-in", min=1, help="seconds; a week without it")
    ] = None,
    url: UrlFlag = None,
    token: TokenFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """A link to a page on which its holder may decide this request, once."""
    context = CommandContext(url, token, as_json)

    async def work(client: GatewayClient) -> Any:
        found = await _find(client, request)
        body = {"requestId": found["requestId"], "for": name, "expiresInSeconds": expires_in}
        return await client.call("POST", "/api/hitl/link", given(body))

    # Nothing but the link on standard output, and on one line, so that it can be piped.
    made: Document = context.ask(work)
    if as_json:
        print_json(made)
    else:
        typer.echo(visible(made["url"]))


def _said(note: str | None, operator: str | None, plan_version: int | None) -> Document:
    return {"note": note, "operator": operator, "expectedPlanVersion": plan_version}


def _respond(context: CommandContext, request: str, response: Document, said: Document) -> None:
    async def work(client: GatewayClient) -> Any:
        found = await _find(client, request)
        body = {"runId": found["runId"], "requestId": found["requestId"], "responses": [response], **said}
        return await client.call("POST", "/api/hitl/resume", given(body))

    context.show(context.ask(work), lambda shown: _outcome(context, shown))


async def _find(client: GatewayClient, identity: str) -> Document:
    """The request of this id, or the only open one of the run of this id."""
    try:
        return await client.call("GET", f"/api/hitl/requests/{in_path(identity)}")
    except GatewayProblemError as problem:
        if problem.status != 404:
            raise
    try:
        waiting: Document = await client.call("GET", f"/api/hitl/pending?runId={in_path(identity)}")
    except GatewayProblemError as problem:
        if problem.status != 404:
            raise
        stop(f"There is no request and no run {visible(identity)}.")
    found: list[Document] = waiting["requests"]
    if not found:
        stop(f"{visible(identity)} is no request, and no run that waits for a decision.")
    if len(found) > 1:
        lines = [f"  {each['requestId']}  {visible(each['question'])}" for each in found]
        stop("\n".join([f"Run {visible(identity)} waits for {len(found)} decisions; name one:", *lines]))
    return found[0]


def _listed(answer: Document) -> Any:
    requests: list[Document] = answer["requests"]
    columns = ("request", "asked", "question")
    rows = [
        (
            each["requestId"],
            short_time(each.get("createdAt")),
            _with_end(each["question"], each.get("expiresAt")),
        )
        for each in requests
    ]
    shown: list[Any] = [table(columns, rows, empty="Nothing waits for a person.")]
    if "nextCursor" in answer:
        shown.append(words("There are more: --limit, or a filter.", "dim"))
    return shown


def _with_end(question: str, expires_at: str | None) -> str:
    return f"(until {short_time(expires_at)}) {question}" if expires_at else question


def _shown(request: Document) -> Any:
    rules: Document = request.get("rules") or {}
    votes: list[Document] = request.get("votes") or []
    pairs = {
        "request": request["requestId"],
        "run": f"{request['runId']} ({request['runStatus']})",
        "node": request.get("nodeId"),
        "asked": short_time(request.get("createdAt")),
        "expires": short_time(request.get("expiresAt")),
        "approvers": ", ".join(rules.get("approvers") or []),
        "quorum": rules.get("quorum"),
        "proposed": _proposed(request.get("proposal")),
        "output hash": request.get("outputHash"),
        "votes": ", ".join(vote["operator"] for vote in votes),
        "decision": request.get("decision"),
        "by": request.get("operator"),
        "note": request.get("note"),
    }
    shown: list[Any] = [words(request["question"], "bold"), facts(pairs)]
    options: list[Document] = request.get("options") or []
    if options:
        shown.append(table(("option", "says"), [(each["id"], each["label"]) for each in options], empty=""))
    plan: Document | None = request.get("pendingOutput") if request.get("subject") == "plan" else None
    if plan is not None:
        return [*shown, *_plan(plan), *_rejected(request.get("additionalContext") or {})]
    for title in ("pendingOutput", "additionalContext"):
        if request.get(title) is not None:
            shown += [heading(title), document(request[title])]
    return shown


def _plan(plan: Document) -> list[Any]:
    metadata: Document = plan.get("metadata") or {}
    shown: list[Any] = [heading("plan"), plan_tree(plan["nodes"])]
    cost: Document | None = metadata.get("cost")
    return [*shown, words(cost_line(cost, proved=bool(metadata.get("proved"))))] if cost else shown


def _rejected(context: Document) -> list[Any]:
    """The plans before this one, and what was said of them."""
    rejected: list[Document] = context.get("rejected") or []
    rows = [(each.get("planVersion"), each.get("operator"), each.get("words")) for each in rejected]
    return [table(("rejected plan", "by", "why"), rows, empty="")] if rows else []


def _proposed(proposal: Document | None) -> str | None:
    if proposal is None:
        return None
    answer = proposal.get("optionId") or proposal.get("text")
    return f"{answer or 'another one'} by {proposal['operator']} (proposal {proposal['id']})"


def _outcome(context: CommandContext, answer: Document) -> Any:
    lines: list[Any] = []
    for each in answer["requests"]:
        if each["status"] == "resolved":
            lines.append(words(f"{each['decision']} by {each['operator']}"))
        elif "votes" in each:
            lines.append(words(f"counted: {len(each['votes'])} of {each['quorum']} have approved"))
    lines.append(words(f"run {answer['runId']} is {answer['status']}"))
    if answer.get("pendingRequestId"):
        lines.append(words(f"next: {context.command('hitl', 'show', answer['pendingRequestId'])}", "dim"))
    return lines
