"""Plans that people approve before any of their nodes starts (`policies.hitl.plan`)."""

from __future__ import annotations

from runs import new_events
from runs.draft import Draft
from runs.event import JsonObject
from runs.plan_shape import plan_shape
from runs.rules.requests import add_request, hitl_rules
from runs.state import RequestState, RunState

MAX_PLAN_REJECTIONS = 5
"""How many plans of one run people may reject; one more ends it."""

TOO_MANY_REJECTIONS = "too_many_plan_rejections"
NO_OTHER_PLAN = "no_other_plan"


def ask_about_plan(draft: Draft, plan: JsonObject) -> None:
    """Ask people to approve the plan in force, of which nothing has started, where the run's rules want that."""
    state = draft.state
    if state.finished or not state.policies.hitl.plan or state.plan_approval is not None:
        return
    metadata: JsonObject = plan.get("metadata") or {}
    nodes = len(plan["nodes"])
    context: JsonObject = {"planVersion": state.plan_version, "nodes": nodes}
    context |= {key: metadata[key] for key in ("planner", "cost", "proved", "gap") if key in metadata}
    if state.rejected_plans:
        context["rejected"] = [
            {key: each.get(key) for key in ("planVersion", "operator", "words")}
            for each in state.rejected_plans
        ]
    add_request(
        draft,
        kind="approval",
        subject="plan",
        question=f"Approve the plan ({nodes} node{'s' if nodes > 1 else ''}) of: {state.envelope['objective']}",
        rules=hitl_rules(state),
        pending_output=plan,
        context=context,
    )


def withdraw_plan_questions(draft: Draft, decided: RequestState) -> None:
    """Close what policies ask about the plan that `decided` was about, since there is another one now."""
    for request in draft.state.open_requests:
        context: JsonObject = request.payload.get("additionalContext") or {}
        about_plan = request.subject == "policy" and context.get("event") in (
            "plan_generated",
            "plan_updated",
        )
        if about_plan:
            note = f"the plan was changed by the decision on request {decided.id}"
            draft.add(new_events.hitl_resolved(request, "removed", operator="flexrun", note=note))


def rejected_before(state: RunState, plan: JsonObject) -> list[JsonObject]:
    """Why a plan that people have rejected is none, as diagnostics; [] for a plan of another shape."""
    if not state.rejected_plans:
        return []
    shape = plan_shape(plan["nodes"])
    if all(each["shape"] != shape for each in state.rejected_plans):
        return []
    said = "; ".join(f"{each['operator']}: {each['words'] or 'no reason'}" for each in state.rejected_plans)
    message = f"The planner has no other plan than what was rejected ({said})."
    return [{"code": NO_OTHER_PLAN, "message": message, "path": ""}]
