"""Settings: flags first, then `FLEXRUN_*`, then a file of them, then these defaults.

The names here are the names there.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from flexrun.data_dir import default_data_dir
from flexrun.secrets import SecretFiles
from flexrun.settings_file import SettingsFile
from schemas.config import require_longer
from schemas.limits import parse_limits
from schemas.signatures import DEFAULT_ALGORITHMS, Algorithm


def _split(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


CommaSeparated = Annotated[list[str], NoDecode, BeforeValidator(_split)]
"""A list that a variable of the environment holds with commas between its parts."""


DAY_SECONDS = 86_400.0

Seconds = Annotated[float, Field(gt=0, le=DAY_SECONDS, allow_inf_nan=False)]
"""A duration up to a day: what is longer, or no number, would only fail later in a timer."""

Slots = Annotated[int, Field(ge=1, le=10_000)]
"""How many at a time; a consumer of RabbitMQ cannot ask for more than 65,535."""


class Settings(BaseSettings):
    """All that a process of flexrun can be told. Durations are in seconds.

    A secret may be in a file: `FLEXRUN_TOKENS_FILE`, and so for all that `flexrun.secrets` lists.
    """

    model_config = SettingsConfigDict(env_prefix="FLEXRUN_", extra="ignore", use_attribute_docstrings=True)

    database_url: Annotated[str | None, Field(repr=False)] = None
    """Postgres to use; without one, `flexrun up` starts an embedded Postgres."""
    broker_url: Annotated[str, Field(repr=False)] = "postgres"
    """`postgres`, or `amqp://user:password@host:port/vhost`."""
    namespace: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,40}$")] = "flexrun"
    """Prefix of the queue names."""
    data: Path = Field(default_factory=default_data_dir)
    """Folder of the embedded Postgres."""

    settings_file: Path | None = None
    """A file with further settings, a line `FLEXRUN_NAME=value` for each; flags and variables win over it. SIGHUP has
    it read again."""

    host: str = "127.0.0.1"
    """The address that the gateway listens on; beyond loopback it wants tokens."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """The port that the gateway listens on; 0 takes a free one."""
    tls_key: Path | None = None
    """The key of that certificate, in PEM form and without a passphrase. SIGHUP has both files read again."""
    tls_cert: Annotated[Path | None, Field(validate_default=True)] = None
    """The certificate that the gateway shows, in PEM form, with those between it and its authority behind it. Then the
    gateway's port speaks TLS 1.2 and 1.3 alone."""
    health_port: Annotated[int | None, Field(ge=0, le=65535)] = None
    """Where `/healthz`, `/readyz` and `/metrics` are served, by every role, apart from the gateway's own port; unset:
    nowhere."""
    health_host: str = "127.0.0.1"
    """The address for that port. It needs no token: beyond loopback, only where those who reach it may read metrics."""
    metrics_open: bool = False
    """Whether `/metrics` on the gateway's port asks for no token where there are tokens; on the health port it never
    does."""
    url: str = "http://127.0.0.1:8080"
    """The gateway that the client commands talk to."""
    ca_file: Path | None = None
    """The authorities in PEM form that the client commands trust for an https address, in place of the system's."""
    token: SecretStr | None = None
    """The bearer token that the client commands send."""
    tenant: str | None = None
    """The tenant that the client commands work for, where the token is an operator's; unset: that of the token."""
    tokens: SecretStr | None = None
    """Who may call the gateway: `token=name:role1,role2;token=name …`, or as JSON; a token has 8 characters or more. A
    role with an `@` in front (`@viewer`) is one of the roles below and opens what its scopes do; a role `tenant:NAME`
    says of which tenant it is."""
    roles: str | None = None
    """Roles beside those that are built in, or in their place: `support=runs:read,runs:control;reader=runs:read`, or as
    JSON."""
    oidc_audience: CommaSeparated = Field(default_factory=list)
    """What tokens of the issuer must be meant for (`aud`); one of these is enough."""
    oidc_issuer: str | None = None
    """The OpenID Connect issuer whose tokens count too (`https://id.example/realms/acme`), as they have it in `iss`."""
    oidc_algorithms: Annotated[list[Algorithm], NoDecode, BeforeValidator(_split)] = Field(
        default_factory=lambda: list(DEFAULT_ALGORITHMS), min_length=1
    )
    """The signatures of such tokens that count: RS, PS and ES with 256, 384 or 512, and EdDSA."""
    oidc_leeway_seconds: Annotated[float, Field(ge=0, le=600, allow_inf_nan=False)] = 30.0
    """By how much the issuer's clock may differ from that of the gateway."""
    oidc_keys_keep_seconds: Seconds = 3_600.0
    """How long the issuer's keys count while it cannot be reached; after that its tokens are answered 503."""
    oidc_name_claims: CommaSeparated = Field(
        default_factory=lambda: ["preferred_username", "sub"], min_length=1
    )
    """Where the name is in a token: the first of these claims that it has."""
    oidc_role_claims: CommaSeparated = Field(default_factory=lambda: ["realm_access.roles", "roles"])
    """Where the roles are: all of these claims, each a path (`resource_access.flexrun.roles`)."""
    oidc_scope_claims: CommaSeparated = Field(default_factory=lambda: ["scope", "scp", "permissions"])
    """Where scopes may be, beside the roles."""
    oidc_scope_prefix: str = "flexrun:"
    """What a role or a value of these claims begins with that opens something, `flexrun:runs:read`; it may be empty."""
    oidc_tenant_claim: str | None = None
    """Where the tenant is; then a token that names none is refused. Unset: all are of the default tenant."""
    oidc_allow_private: bool = False
    """Whether the issuer may have an address that is not public."""
    trusted_proxies: CommaSeparated = Field(default_factory=list)
    """Networks of the proxies before the gateway (`10.0.0.0/8,192.0.2.7`): `X-Forwarded-For` counts from them alone."""
    tls_client_ca: Path | None = None
    """The authorities, in PEM form, whose certificates name callers that connect with one; for TLS at the gateway."""
    certificate_header: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9-]{1,100}$")] = None
    """The header in which a trusted proxy says the name in the certificate that it has checked (`X-Client-DN`)."""
    certificate_name: Literal["cn", "dns", "email", "uri"] = "cn"
    """Where a certificate has its caller's name: `cn`, or the subject alternative name `dns`, `email` or `uri`."""
    certificates: str | None = None
    """Who may call by a certificate, and for what: `ada=@operator,legal;reports=runs:read`."""
    wrong_tokens_a_minute: Annotated[int, Field(ge=1, le=1_000_000)] = 30
    """How many different wrong tokens an address may send at once, and how many more in each minute; then 429."""
    connections_per_address: Annotated[int, Field(ge=1, le=1_000_000)] = 4_000
    """How many connections one address may have open at the gateway; those of trusted proxies are not limited."""
    link_secret: SecretStr | None = None
    """What links for approvers are signed with, 32 bytes or more; without it, by a secret that the database keeps."""
    checkpoint_key_file: Path | None = None
    """The file with the Ed25519 key (PEM) that signs the checkpoints, those of `flexrun db checkpoint` too."""
    checkpoint_folder: Path | None = None
    """Where checkpoints are written on a schedule; the folder has to be there. Keep it from the database's owner."""
    checkpoint_hours: Annotated[float | None, Field(gt=0, le=8_784, allow_inf_nan=False)] = None
    """How many hours after one checkpoint the next one is written; needs the folder and the key. Unset: none is."""
    checkpoint_keep: Annotated[int | None, Field(ge=1, le=1_000_000)] = None
    """How many checkpoints stay in the folder, the newest ones. Unset: all."""
    public_url: str | None = None
    """Where people reach the gateway, for those links (`https://flexrun.example`)."""
    webhook_allow_private: bool | None = None
    """Whether webhooks may lead to addresses that are not public; unset: only in a `flexrun up` that is private itself,
    on loopback and without tokens."""
    mcp_commands: str | None = None
    """Which commands an executor may start as MCP servers, or their first words, with `;` between (`npx -y @acme/tools;
    /opt/acme/server`); `*` is any: whoever may register capabilities can then run programs here. Unset: none."""
    capability_allow_private: bool | None = None
    """Whether services with an HTTP home may have addresses that are not public; unset: as for webhooks. A home may
    allow it for itself (`allowPrivate`)."""
    policies: str | None = None
    """The house's own policy, which envelopes can only tighten: the path of a JSON file, or the JSON itself."""
    cors_origins: CommaSeparated = Field(default_factory=list)
    """Origins whose pages may call the gateway (`https://app.example,https://other.example`), or `*`."""

    lease_seconds: Seconds = 15.0
    """How long work in progress stays with a worker that is not heard of any more, before another one takes it."""
    planner_slots: Slots = 32
    """How many runs a planner plans at a time."""
    planner_model: str | None = None
    """The language model that proposes plans, `{"model": …, "baseUrl": …, "apiKey": "${env:NAME}", …}`: the path of a
    JSON file, or the JSON itself. Unset: plans are derived from the contract."""
    load: CommaSeparated = Field(default_factory=list)
    """Python modules whose capabilities an executor runs: `package.module`, or the path of a file (`--load`)."""
    capabilities: CommaSeparated = Field(default_factory=list)
    """Files and folders of descriptors (YAML or JSON), read at start and again when they change (`--capabilities`)."""
    worker: CommaSeparated = Field(default_factory=list)
    """Python files for a worker beside `flexrun up`, which is started again when they change (`--worker`)."""
    executor_slots: Slots = 64
    """How many nodes an executor works on at a time."""
    watchdog_warn_seconds: Seconds = 2.0
    """After so long without a turn of the event loop its stack is logged."""
    watchdog_exit_seconds: Annotated[float, Field(ge=0, le=DAY_SECONDS, allow_inf_nan=False)] = 10.0
    """After so long the process ends with status 71, for its supervisor to start it again; 0 is never."""
    drain_seconds: Annotated[float, Field(ge=0, le=DAY_SECONDS, allow_inf_nan=False)] = 10.0
    """How long work in progress may go on after SIGTERM before it is handed to other workers."""
    stop_notice_seconds: Annotated[float, Field(ge=0, le=300, allow_inf_nan=False)] = 1.0
    """How long a gateway answers after SIGTERM, with 503 and `Connection: close`, before it closes its socket: longer
    than a load balancer takes to see that `/readyz` has changed. SIGINT (Ctrl-C) skips it."""
    ping_seconds: Seconds = 15.0
    """After so long without a frame a stream gets a comment, which keeps the connection open."""
    retention_days: Annotated[float | None, Field(gt=0, le=36_500, allow_inf_nan=False)] = None
    """How many days a run is kept after its end; then it is removed with all that belongs to it. Unset: for good."""
    retention_folder: Path | None = None
    """Where each of these runs is written into a file before it is removed; a run that cannot be written stays."""
    erasable: bool = False
    """Whether the data of runs that start from now on is kept under a key of each run, so that it can be erased
    (`flexrun runs erase`). It costs some room and time, and a run that began without cannot be erased."""
    payload_keys: SecretStr | None = None
    """The keys of tenants that protect payloads, `{"*": {"2026-11": "base64 of 32 bytes"}}`: what new runs hold is in
    the database only in sealed form then. The first key of a tenant is for new runs, the others open older ones."""
    payload_keys_command: str | None = None
    """A command that prints them, as from a key service; it is run once at start, without a shell."""
    backlog_limit: Annotated[int, Field(ge=1, le=1_000_000_000)] = 50_000
    """How many runs may wait for work before new ones are refused with 503 `backlog_full`."""
    limits: str | None = None
    """What tenants and callers may take for whom `flexrun limits` sets nothing else: `tenant.runsPerMinute=600,
    actor.openStreams=50`. The names are in docs/limits.md. Unset: no limits."""
    record_reads: bool = False
    """Whether the operations log has reads too (who looked at which run, capability, webhook), not changes alone."""
    operations_keep_days: Annotated[int, Field(ge=1, le=36_500)] = 400
    """How many days the operations log is kept; what is older is deleted within minutes."""

    traces_endpoint: str | None = None
    """Where spans are sent over OTLP/HTTP (`http://collector:4318`), with `flexrun[otel]` installed. Unset: nowhere,
    unless `OTEL_EXPORTER_OTLP_ENDPOINT` names a place."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severity that is logged: `debug`, `info`, `warning` or `error`."""
    log_format: Literal["auto", "json", "console"] = "auto"
    """`json` (a line for each event), `console`, or `auto`: `console` where standard error is a terminal."""

    _flags: dict[str, Any] = PrivateAttr(default_factory=dict[str, Any])

    @field_validator("*", mode="before")
    @classmethod
    def _is_not_blank(cls, value: Any, info: ValidationInfo) -> Any:
        """An empty text from a secret store must not mean open access, or a database of one's own."""
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if (
            isinstance(text, str)
            and not text.strip()
            and info.field_name
            not in {
                "capabilities",
                "cors_origins",
                "load",
                "oidc_scope_prefix",
            }
        ):
            raise ValueError("it is empty; give it a value or unset it")
        return value

    @field_validator("limits", mode="after")
    @classmethod
    def _names_limits(cls, value: str | None) -> str | None:
        parse_limits(value)
        return value

    @field_validator("mcp_commands", mode="after")
    @classmethod
    def _names_commands(cls, value: str | None) -> str | None:
        for command in (value or "").split(";"):
            shlex.split(command)
        return value

    @field_validator("oidc_issuer", mode="after")
    @classmethod
    def _has_an_audience(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and not info.data.get("oidc_audience", True):
            raise ValueError(
                "it needs FLEXRUN_OIDC_AUDIENCE, or a token for any other application would count here"
            )
        return value

    @field_validator("tls_cert", mode="after")
    @classmethod
    def _has_its_key(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if (value is None) != (info.data.get("tls_key") is None):
            raise ValueError("FLEXRUN_TLS_CERT and FLEXRUN_TLS_KEY go together: set both, or neither")
        return value

    @field_validator("tls_client_ca", mode="after")
    @classmethod
    def _has_a_certificate_too(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("tls_cert", value) is None:
            raise ValueError(
                "it needs FLEXRUN_TLS_CERT and FLEXRUN_TLS_KEY: certificates are shown over TLS alone"
            )
        return value

    @field_validator("certificate_header", mode="after")
    @classmethod
    def _has_its_proxies(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and not info.data.get("trusted_proxies", True):
            raise ValueError("it needs FLEXRUN_TRUSTED_PROXIES: from anywhere else it must not count")
        return value

    @field_validator("certificates", mode="after")
    @classmethod
    def _has_a_way_to_come(cls, value: str | None, info: ValidationInfo) -> str | None:
        ways = ("tls_client_ca", "certificate_header")
        if value is not None and all(info.data.get(way, value) is None for way in ways):
            raise ValueError("it needs FLEXRUN_TLS_CLIENT_CA or FLEXRUN_CERTIFICATE_HEADER")
        return value

    @field_validator("checkpoint_hours", mode="after")
    @classmethod
    def _has_what_checkpoints_need(cls, value: float | None, info: ValidationInfo) -> float | None:
        for name in ("checkpoint_key_file", "checkpoint_folder"):
            if value is not None and info.data.get(name, value) is None:
                raise ValueError(f"it needs FLEXRUN_{name.upper()}, which is not set")
        return value

    @field_validator("watchdog_exit_seconds", mode="after")
    @classmethod
    def _ends_after_its_warning(cls, value: float, info: ValidationInfo) -> float:
        warn = info.data.get("watchdog_warn_seconds")
        if value and warn is not None:
            require_longer("it", value, "FLEXRUN_WATCHDOG_WARN_SECONDS", warn)
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, the environment, and the files that it names: of secrets, and of settings."""
        return init_settings, env_settings, SecretFiles(settings_cls), SettingsFile(settings_cls)

    def with_flags(self, **flags: Any) -> Settings:
        """These settings with the flags that were given (None: not given). Raises pydantic.ValidationError."""
        given = {name: value for name, value in flags.items() if value is not None}
        if not given:
            return self
        made = type(self).model_validate({**self.model_dump(exclude_unset=True), **given})
        made._flags = {**self._flags, **given}
        return made

    def again(self) -> Settings:
        """Settings read now, from the same sources under the same flags. Raises ValidationError, SecretRefused."""
        return type(self)().with_flags(**self._flags)


class IsolatedSettings(Settings):
    """Settings that no environment variable reaches: arguments over defaults."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments alone."""
        return (init_settings,)
