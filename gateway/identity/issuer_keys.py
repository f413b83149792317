"""The issuer's keys as this gateway knows them: fetched in the background, and at once for a key that is new.

No request makes a fetch of its own. A token with an unknown key waits for the fetch that is under way, or begins one
where the last one is `keys_gap_seconds` old. While the issuer is away its keys count for `keys_keep_seconds`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import structlog

from eventstore.background import end_background, start_background
from eventstore.lifecycle import refuse_second_start
from gateway.errors import IdentityUnavailable
from gateway.identity.config import OidcConfig
from gateway.identity.key_set import IssuerKey, KeySet, read_key_set
from outbound.json_fetch import FetchFailed, JsonFetcher

PERMISSION = "FLEXRUN_OIDC_ALLOW_PRIVATE=true"
DISCOVERY = "/.well-known/openid-configuration"

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class IssuerKeys:
    """Keys of the issuer of `config`. `trouble` says why the last fetch failed; None where it did not."""

    def __init__(self, config: OidcConfig, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._monotonic = monotonic
        self._fetcher = JsonFetcher(allow_private=config.allow_private, permission=PERMISSION)
        self._keys = KeySet()
        self._fetched_at = self._asked_at = float("-inf")
        self.trouble: str | None = None
        self._asking: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to fetch. It waits for no issuer: tokens of one that is away are answered 503."""
        refuse_second_start(self, started=self._looking is not None)
        self._looking = start_background("issuer-keys", self._keep_looking())

    async def close(self) -> None:
        """Fetch nothing more."""
        await end_background(self._looking, self._asking)
        await self._fetcher.close()

    async def look(self) -> int:
        """Fetch them now, once, without having been started; how many there are. `trouble` says why it failed."""
        await self._fetch()
        return len(self._keys)

    async def find(self, key_id: str | None, algorithm: str) -> IssuerKey | None:
        """The key of a token; None for one that the issuer does not have.

        Raises IdentityUnavailable where that cannot be told.
        """
        found = self._known.find(key_id, algorithm)
        if found is None:
            await self._ask_for_unknown()
            found = self._known.find(key_id, algorithm)
        if found is None and self.trouble is not None:
            raise IdentityUnavailable(
                "The issuer of this token cannot be asked for its keys just now; try again."
            )
        return found

    def has(self, key: IssuerKey) -> bool:
        """Whether a key that was found is still among those of the last document."""
        return self._keys.has(key.thumbprint)

    @property
    def _known(self) -> KeySet:
        is_old = self._monotonic() - self._fetched_at > self._config.keys_keep_seconds
        return KeySet() if is_old else self._keys

    async def _ask_for_unknown(self) -> None:
        if self._asking is None or self._asking.done():
            if self._monotonic() - self._asked_at < self._config.keys_gap_seconds:
                return
            self._begin()
        if self._asking is not None:
            await asyncio.shield(self._asking)

    def _begin(self) -> None:
        self._asked_at = self._monotonic()
        self._asking = asyncio.create_task(self._fetch(), name="issuer-keys-fetch")

    async def _keep_looking(self) -> None:
        while True:
            if self._asking is None or self._asking.done():
                self._begin()
            if self._asking is not None:
                await asyncio.shield(self._asking)
            away = self.trouble is not None
            await asyncio.sleep(self._config.keys_gap_seconds if away else self._config.keys_fresh_seconds)

    async def _fetch(self) -> None:
        try:
            self._keys = await self._published()
        except FetchFailed as failed:
            if self.trouble is None:
                self._warn("issuer_away", reason=str(failed))
            self.trouble = str(failed)
            return
        if self.trouble is not None:
            _log.info("issuer_back", issuer=self._config.issuer)
        self.trouble = None
        self._fetched_at = self._monotonic()

    def _warn(self, event: str, **fields: object) -> None:
        """In the log of a process that serves: who looks once says it in words."""
        if self._looking is not None:
            _log.warning(event, issuer=self._config.issuer, **fields)

    async def _published(self) -> KeySet:
        issuer = self._config.issuer
        discovery = await self._fetcher.get(issuer.rstrip("/") + DISCOVERY)
        if discovery.get("issuer") != issuer:
            raise FetchFailed(
                f"the discovery document is of another issuer than FLEXRUN_OIDC_ISSUER ({issuer})"
            )
        address: Any = discovery.get("jwks_uri")
        if not isinstance(address, str):
            raise FetchFailed("the discovery document names no jwks_uri")
        document = await self._fetcher.get(address)
        if not isinstance(document.get("keys"), list):
            raise FetchFailed("the document at jwks_uri is no key set")
        keys = read_key_set(document, self._config.algorithms)
        if not len(keys):
            # What it does not publish does not count any more: it may have been stolen.
            self._warn("issuer_has_no_keys", algorithms=self._config.algorithms)
        return keys
