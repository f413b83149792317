"""Reading `/metrics` of a process as Prometheus does."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp
from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Scrape:
    """The samples of one answer, by name and labels."""

    samples: dict[str, dict[frozenset[tuple[str, str]], float]]

    def value(self, name: str, **labels: str) -> float:
        """The sum of all samples of this name that have these labels; 0 where there are none."""
        wanted = set(labels.items())
        return sum(number for found, number in self.samples.get(name, {}).items() if wanted <= found)

    def has(self, name: str) -> bool:
        return bool(self.samples.get(name))


def parse(text: str) -> Scrape:
    """Raises ValueError for a text that Prometheus could not read."""
    samples: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    return Scrape(samples)


async def scrape(url: str, token: str | None = None) -> Scrape:
    """The metrics of the process at `url`."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics", headers=headers) as answer:
        text = await answer.text()
        assert answer.status == 200, text
        assert answer.headers["Content-Type"].startswith("text/plain; version="), answer.headers
        return parse(text)


def together(scrapes: list[Scrape]) -> Scrape:
    """The sums over several processes."""
    samples: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
    for each in scrapes:
        for name, found in each.samples.items():
            sums = samples.setdefault(name, {})
            for labels, number in found.items():
                sums[labels] = sums.get(labels, 0.0) + number
    return Scrape(samples)
