"""Every metric of flexrun, declared once. `docs/metrics.md` is written from here (`make docs`).

Buckets are few, since each is a series for each value of the labels, and wide where a day's work and a minute's meet.
"""

from __future__ import annotations

from telemetry.metrics import Counter, Gauge, Histogram, Label, LabelValues

MAX_CAPABILITIES = 200
"""So many capabilities have series of their own; later ones are counted as `other`."""
MAX_QUEUES = 100
MAX_CODES = 100

STORING_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)
"""An append takes 1 to 5 ms on a healthy database, is retried for 30 s and then refused."""
WORK_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""From a function of a millisecond to a model of minutes and a person of hours."""
RUN_SECONDS = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0, 604_800.0)
"""From a plan of stubs to one that waits for a person until next week."""
CHECK_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
"""A check takes milliseconds; its child is ended at a deadline of seconds."""
BATCH_APPENDS = (1, 2, 4, 8, 16, 32, 64)
"""Up to 64 appends share a transaction."""

_CAPABILITY = Label("capability", LabelValues(MAX_CAPABILITIES))
_QUEUE = Label("queue", LabelValues(MAX_QUEUES))
_CODE = Label("code", LabelValues(MAX_CODES))

# What happens, counted by the process whose commit it is.

RUNS_STARTED = Counter(
    "flexrun_runs_started_total",
    "Runs that were accepted: `kind` is new, fork or retry.",
    [Label("kind")],
)
RUNS_FINISHED = Counter(
    "flexrun_runs_finished_total",
    "Runs that have ended: `outcome` is completed, failed or aborted, `code` that of the error, if any.",
    [Label("outcome"), _CODE],
)
RUN_SECONDS_SPENT = Histogram(
    "flexrun_run_duration_seconds",
    "From the start of a run to its end, waits for people included.",
    [Label("outcome")],
    buckets=RUN_SECONDS,
)
EVENTS = Counter("flexrun_events_total", "Events that were appended to logs, by type.", [Label("type")])
PLANS = Counter(
    "flexrun_plans_total",
    "Attempts at planning: `result` is generated, updated (a later plan), rejected, or lost with the planner.",
    [Label("result")],
)
PLANNING_SECONDS = Histogram(
    "flexrun_planning_duration_seconds",
    "How long a planner took for an answer, a refusal included.",
    [Label("planner"), Label("result")],
    buckets=(*CHECK_SECONDS, 30.0, 120.0),
)
NODE_ATTEMPTS = Counter(
    "flexrun_node_attempts_total",
    "Attempts at nodes that have ended: `result` is completed, reused (taken over by a fork), failed or lost.",
    [_CAPABILITY, Label("result")],
)
NODE_SECONDS = Histogram(
    "flexrun_node_duration_seconds",
    "How long an attempt took that gave an output.",
    [_CAPABILITY],
    buckets=WORK_SECONDS,
)
RETRIES = Counter(
    "flexrun_retries_total", "Attempts that failed and are followed by another one.", [_CAPABILITY]
)
LOSSES = Counter(
    "flexrun_losses_total",
    "Attempts that ended with their worker: `how` is died, stalled, unheard, or handed_back by one that stopped.",
    [_CAPABILITY, Label("how")],
)
VALIDATION_ERRORS = Counter(
    "flexrun_validation_errors_total",
    "Outputs that broke their contract: `scope` is node, or final for the run's output.",
    [Label("scope")],
)
REQUESTS_OPENED = Counter(
    "flexrun_requests_opened_total", "Questions to people, by what they are about.", [Label("subject")]
)
REQUESTS_RESOLVED = Counter(
    "flexrun_requests_resolved_total", "Questions to people that were decided.", [Label("decision")]
)
TOKENS_USED = Counter(
    "flexrun_usage_tokens_total",
    "Tokens that capabilities say they have used.",
    [_CAPABILITY, Label("direction")],
)
MONEY_USED = Counter(
    "flexrun_usage_cost_total",
    "Money that capabilities say they have used, in whole units of `currency` (XXX: none was named).",
    [_CAPABILITY, Label("currency", LabelValues(20))],
)
SECONDS_USED = Counter(
    "flexrun_usage_seconds_total", "Seconds of work that capabilities say they have used.", [_CAPABILITY]
)

LIMIT_REFUSALS = Counter(
    "flexrun_limit_refusals_total",
    "Requests that were answered 429: `limit` is which one, `level` whether it is of the tenant or the caller.",
    [Label("limit"), Label("level")],
)

# The store.

APPEND_SECONDS = Histogram(
    "flexrun_append_duration_seconds",
    "From the decision about a run until it is stored, the wait for a writer included.",
    buckets=STORING_SECONDS,
)
APPEND_BATCH = Histogram(
    "flexrun_append_batch_appends", "How many appends shared a transaction.", buckets=BATCH_APPENDS
)
CONFLICTS = Counter(
    "flexrun_append_conflicts_total", "Appends that found the run changed, and were decided again."
)
APPENDS_WAITING = Gauge("flexrun_append_queue_appends", "Appends that wait for a writer now.")
CONNECTIONS = Gauge(
    "flexrun_database_connections",
    "Connections of the reading pool: `state` is busy, idle, or limit for how many there may be.",
    [Label("state")],
)
READS_WAITING = Gauge("flexrun_database_reads_waiting", "Statements that wait for a connection of the pool.")
OUTAGE_SECONDS = Gauge(
    "flexrun_outage_seconds",
    "For how long a server has not been reached by this process; 0 where it is.",
    [Label("server")],
)

# Work and workers.

CHECKPOINT_FAILURES = Counter(
    "flexrun_checkpoint_failures_total", "Attempts of this process at writing a checkpoint that have failed."
)
LEASES_EXPIRED = Counter(
    "flexrun_lease_expiries_total",
    "Leases that ran out: `kind` is that of the work, or callback where a service has not called back.",
    [Label("kind")],
)
DEAD_LETTERED = Counter(
    "flexrun_dead_lettered_total", "Messages that this process made dead letters.", [_QUEUE]
)
SLOTS = Gauge(
    "flexrun_worker_slots", "How much work this process takes at a time: `state` is busy or limit.",
    [Label("role"), Label("state")],
)  # fmt: skip
STATE = Gauge(
    "flexrun_process_state",
    "1 for what this process is: starting, ready, deaf (it leaves work that it could take), draining or not_ready.",
    [Label("state")],
)
INFO = Gauge("flexrun_process_info", "1, with the version and the roles.", [Label("version"), Label("roles")])

# The gateway.

HTTP_REQUESTS = Counter(
    "flexrun_http_requests_total",
    "Requests that were answered, by the endpoint's path and the class of the status (2xx).",
    [Label("method"), Label("path"), Label("status")],
)
HTTP_SECONDS = Histogram(
    "flexrun_http_request_duration_seconds",
    "How long requests took that are no streams and wait for nothing.",
    [Label("path")],
    buckets=STORING_SECONDS,
)
STREAMS_OPEN = Gauge("flexrun_streams_open", "Streams that are open at this gateway.")
STREAM_LAG = Gauge(
    "flexrun_stream_lag_events", "By how many events the slowest reader of a stream is behind its run."
)
STREAMS_DROPPED = Counter(
    "flexrun_streams_dropped_total", "Streams that were ended because their reader took nothing."
)
WEBHOOK_ATTEMPTS = Counter(
    "flexrun_webhook_attempts_total",
    "Attempts at delivering events: `result` is delivered, failed, or given_up after the last one.",
    [Label("result")],
)

# Contracts and the sandbox.

CONTRACT_CHECKS = Counter(
    "flexrun_contract_checks_total",
    "Checks of schemas and documents: `result` is checked, refused (the schema), timed_out, crashed or unavailable.",
    [Label("result")],
)
SANDBOX_SECONDS = Histogram(
    "flexrun_sandbox_call_duration_seconds",
    "How long calls into child processes took, the wait for a child included.",
    [Label("function")],
    buckets=CHECK_SECONDS,
)
SANDBOX_ENDS = Counter(
    "flexrun_sandbox_kills_total",
    "Child processes that ended over a call: `reason` is cpu_deadline, stalled or crashed.",
    [Label("reason")],
)

# What only the database knows: asked for when metrics are, every few seconds at most.

DATABASE_ASKED = Gauge(
    "flexrun_database_sampled", "1 where what the database was asked for metrics is of now, 0 where it is missing."
)  # fmt: skip
RUNS = Gauge(
    "flexrun_runs",
    "Runs that have not ended, by status, counted up to 10,000 for each.",
    [Label("status")],
)
CHECKPOINT_AGE = Gauge(
    "flexrun_checkpoint_age_seconds",
    "How old the newest checkpoint is that was written on a schedule; missing where there is none.",
)
CHECKPOINT_LATE = Gauge(
    "flexrun_checkpoint_late",
    "1 where a checkpoint that is due could not be written, or is late by half its time; missing without a schedule.",
)
WORK_DUE = Gauge(
    "flexrun_work_due",
    "Work that is due and not claimed, by queue, counted up to 10,000 for each.",
    [_QUEUE],
)
WORK_OLDEST = Gauge(
    "flexrun_work_oldest_due_seconds", "For how long the oldest work has been due and not claimed.", [_QUEUE]
)
DEAD_LETTERS = Gauge(
    "flexrun_dead_letters",
    "Dead letters that are kept, counted up to 10,000; `place` is database, or broker for RabbitMQ's.",
    [Label("place")],
)
REQUESTS_OPEN = Gauge("flexrun_requests_open", "Questions that wait for people, counted up to 10,000.")
REQUESTS_OLDEST = Gauge(
    "flexrun_requests_oldest_seconds", "For how long the oldest open question has waited for people."
)
WATERMARK_LAG = Gauge(
    "flexrun_watermark_lag_seconds",
    "How old the oldest event is that an open transaction on the database server hides from webhooks.",
)
WEBHOOK_LAG = Gauge(
    "flexrun_webhook_lag_seconds", "How old the oldest delivery is that an enabled webhook still waits for."
)
WEBHOOKS_DISABLED = Gauge("flexrun_webhooks_disabled", "Webhooks that are disabled.")
ROLES_MISSING = Gauge(
    "flexrun_roles_missing", "1 for a role that no process has, 0 for one that some process has.", [Label("role")]
)  # fmt: skip
