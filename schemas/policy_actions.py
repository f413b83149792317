"""What a runtime policy does. Most actions have a short form: the word alone."""

from typing import Annotated, Any, Literal, cast, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag

from schemas.base import Model, Note, Reference, Text, TextOrObject, flaw, refused
from schemas.explain import TAG_MARK
from schemas.hitl_policy import HitlPolicy
from schemas.policy_words import check_member, check_word, tag_of, word_or_object
from schemas.vocabulary import ActionType, LogLevel, Priority

MAX_POLICY_ATTEMPTS = 20
DEFAULT_POLICY_ATTEMPTS = 3

PolicyAttempts = Annotated[int, Field(ge=1, le=MAX_POLICY_ATTEMPTS)]
Payload = Annotated[dict[str, Any], Field(max_length=100)]


class Fail(Model):
    """End the run as `failed` with `policy_failed`."""

    type: Literal["fail"]
    message: Text | None = None


class Goto(Model):
    """Have `next` run again, and what depends on it: a node of the plan, or the nodes of a capability."""

    type: Literal["goto"]
    next: Reference
    max_attempts: PolicyAttempts | None = None


class Retry(Model):
    """Have the node run once more; `with` is put among the `answers` of its bundle."""

    type: Literal["retry"]
    with_: TextOrObject | None = None
    max_attempts: PolicyAttempts | None = None


class Replan(Model):
    """Have the run planned again: completed work that the new plan has use for is kept."""

    type: Literal["replan"]
    rationale: Text | None = None


class Pause(Model):
    """Start nothing new until the run is resumed."""

    type: Literal["pause"]
    reason: Note | None = None


class Emit(Model):
    """Write a `log` event that carries `event` and `payload`, for the readers of the run."""

    type: Literal["emit"]
    event: Reference
    payload: Payload | None = None


class Log(Model):
    """Write `policy_triggered`, and nothing else; with a `message` a line in the log as well."""

    type: Literal["log"]
    message: Note | None = None
    level: LogLevel = "info"


class SetPriority(Model):
    """`high`: the work of the run that is not begun goes before that of others; `normal`: first come, first served."""

    type: Literal["setPriority"]
    priority: Priority


_LEGACY = {
    "goto_node": "goto",
    "replan_run": "replan",
    "hitl_pause": "hitl",
    "request_hitl": "hitl",
    "pause_run": "pause",
    "fail_run": "fail",
    "abort_run": "fail",
    "retry_node": "retry",
    "emit_event": "emit",
    "log_event": "log",
    "set_priority": "setPriority",
}
_STEPS = ("goto", "retry", "fail", "pause", "emit", "log", "setPriority", "replan")
_ACTIONS: tuple[ActionType, ...] = get_args(ActionType)
_WITH_FIELDS = ("goto", "emit", "setPriority")
"""Actions whose word alone does not say all."""


def _known(value: Any) -> Any:
    return _check(value, _ACTIONS)


def _known_step(value: Any) -> Any:
    return _check(value, _STEPS)


def _check(value: Any, words: tuple[str, ...]) -> Any:
    word_or_object(value)
    if isinstance(value, str):
        check_word(value, words, _LEGACY)
        if value in _WITH_FIELDS:
            raise refused(flaw("missing", f"This is an object: {{type: {value!r}, …}}."))
    elif isinstance(value, dict):
        check_member(cast("dict[str, Any]", value), "type", words, _LEGACY)
    return cast("Any", value)


def _tag(value: Any) -> str:
    return tag_of(value, "type")


StepWord = Literal["retry", "fail", "pause", "log", "replan"]
Step = Fail | Goto | Retry | Pause | Emit | Log | SetPriority | Replan
AnyStep = Annotated[
    Annotated[StepWord, Tag(TAG_MARK + "word")]
    | Annotated[Fail, Tag(TAG_MARK + "fail")]
    | Annotated[Goto, Tag(TAG_MARK + "goto")]
    | Annotated[Retry, Tag(TAG_MARK + "retry")]
    | Annotated[Pause, Tag(TAG_MARK + "pause")]
    | Annotated[Emit, Tag(TAG_MARK + "emit")]
    | Annotated[Log, Tag(TAG_MARK + "log")]
    | Annotated[SetPriority, Tag(TAG_MARK + "setPriority")]
    | Annotated[Replan, Tag(TAG_MARK + "replan")],
    Discriminator(_tag),
    BeforeValidator(_known_step),
]
"""An action that asks no person."""


class Hitl(Model):
    """Ask people, and wait with what comes after the event. What is done then is said by the two actions."""

    type: Literal["hitl"]
    question: Text | None = None
    rationale: Text | None = None
    hitl: HitlPolicy | None = None
    approve_action: AnyStep | None = None
    reject_action: AnyStep | None = None


Action = Hitl | Step
AnyAction = Annotated[
    Annotated[ActionType, Tag(TAG_MARK + "word")]
    | Annotated[Hitl, Tag(TAG_MARK + "hitl")]
    | Annotated[Fail, Tag(TAG_MARK + "fail")]
    | Annotated[Goto, Tag(TAG_MARK + "goto")]
    | Annotated[Retry, Tag(TAG_MARK + "retry")]
    | Annotated[Pause, Tag(TAG_MARK + "pause")]
    | Annotated[Emit, Tag(TAG_MARK + "emit")]
    | Annotated[Log, Tag(TAG_MARK + "log")]
    | Annotated[SetPriority, Tag(TAG_MARK + "setPriority")]
    | Annotated[Replan, Tag(TAG_MARK + "replan")],
    Discriminator(_tag),
    BeforeValidator(_known),
]
_ALONE: dict[str, type[Hitl] | type[Fail] | type[Log] | type[Pause] | type[Retry] | type[Replan]] = {
    "hitl": Hitl,
    "fail": Fail,
    "log": Log,
    "pause": Pause,
    "retry": Retry,
    "replan": Replan,
}


def written_out(action: Any) -> Action:
    """The action, with its short form written out."""
    return (
        _ALONE[action].model_validate({"type": action}) if isinstance(action, str) else cast(Action, action)
    )


def step_of(step: Any) -> Step | None:
    """The action that asks no person, with its short form written out."""
    return None if step is None else cast(Step, written_out(step))
