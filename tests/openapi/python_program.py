"""A run through a Python client that openapi-python-client has made: `python python_program.py URL ENVELOPE`.

Prints the statuses and the types of events that it saw, as JSON.
"""

# The client is there only where the test has made it; a name that is missing then fails the run.
# pyright: reportMissingImports=false

import json
import sys
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from flexrun_client import Client
from flexrun_client.api.people import list_pending_requests, resolve_requests
from flexrun_client.api.runs import list_runs, read_events, show_run, start_run, stream_run
from flexrun_client.models import (
    Constraints,
    DecisionOutcome,
    EventPage,
    FlexEvent,
    HitlResponse,
    HitlResponseResponseType,
    PendingList,
    Problem,
    ResumeBody,
    RunAccepted,
    RunDetail,
    RunList,
    TaskEnvelope,
)

Model = TypeVar("Model")


def of(model: type[Model], answer: object) -> Model:
    """`answer`, which has to be a `model`."""
    assert isinstance(answer, model), answer
    return answer


def frames(stream: str) -> list[FlexEvent]:
    """The events of a stream, which the client hands over as text."""
    data = [line.removeprefix("data: ") for line in stream.split("\n") if line.startswith("data: ")]
    return [FlexEvent.from_dict(json.loads(each)) for each in data]


def main(url: str, envelope_path: str) -> None:
    """Start a run, see it wait for a person, approve, and read it to its end."""
    client = Client(base_url=url, raise_on_unexpected_status=True)
    envelope = TaskEnvelope.from_dict(json.loads(Path(envelope_path).read_text()))
    begun = frames(of(str, stream_run.sync(client=client, body=envelope)))
    run_id = begun[0].run_id

    listed = of(RunList, list_runs.sync(client=client))
    waiting = of(RunDetail, show_run.sync(UUID(run_id), client=client))
    pending = of(PendingList, list_pending_requests.sync(client=client, run_id=run_id))
    (request,) = pending.requests
    yes = HitlResponse(response_type=HitlResponseResponseType.APPROVAL, approved=True)
    body = ResumeBody(responses=[yes], run_id=run_id, request_id=request.request_id, operator="ada")
    outcome = of(DecisionOutcome, resolve_requests.sync(client=client, body=body))

    envelope.constraints = Constraints(resume_run_id=run_id)
    whole = frames(of(str, stream_run.sync(client=client, body=envelope)))
    page = of(EventPage, read_events.sync(UUID(run_id), client=client))
    done = of(RunDetail, show_run.sync(UUID(run_id), client=client))

    freeform = TaskEnvelope.from_dict({"objective": "x", "outputContract": {"schema": {"type": "strin"}}})
    refused = of(Problem, start_run.sync(client=client, body=freeform))
    another = of(RunAccepted, start_run.sync(client=client, body=TaskEnvelope.from_dict(envelope.to_dict())))
    json.dump(
        {
            "runId": run_id,
            "listed": [each.run_id for each in listed.runs],
            "waiting": waiting.status,
            "asked": [each.request_id for each in waiting.pending_requests] == [request.request_id],
            "decided": outcome.run_id,
            "stream": [event.type_ for event in whole],
            "page": [event.type_ for event in page.events],
            "done": done.status,
            "output": done.output,
            "refused": refused.code,
            "resumed": another.run_id,
        },
        sys.stdout,
    )


main(*sys.argv[1:])
