"""An example for the help of each command that has none in its own text. Ids are shortened as a reader would."""

from __future__ import annotations

from collections.abc import Iterator

import typer
from typer.models import CommandInfo

_RUN = "01a2037d-c782-7554-9225-a4beccda594b"
_REQUEST = f"{_RUN}:output:1"

EXAMPLES = {
    "up": "--port 9090 --data ./flexrun-data",
    "demo": "examples/linkedin-variants.json",
    "gateway": "--host 0.0.0.0 --database postgresql://flexrun@db.example/flexrun",
    "planner": "--database postgresql://flexrun@db.example/flexrun",
    "executor": "--database postgresql://flexrun@db.example/flexrun --load acme.capabilities",
    "submit": "examples/linkedin-variants.json --json",
    "attach": f"{_RUN} --after 12",
    "plan": "examples/linkedin-variants.json",
    "example": "linkedin-variants",
    "settings": "--json",
    "runs show": _RUN,
    "runs abort": f'{_RUN} --reason "sent twice"',
    "runs pause": f'{_RUN} --reason "wait for the lawyers"',
    "runs resume": _RUN,
    "runs retry": _RUN,
    "runs fork": f"{_RUN} --from draft-a --inputs inputs.json",
    "policies trigger": f'{_RUN} again --reason "the brief has changed"',
    "hitl list": "--role legal",
    "hitl show": f"{_REQUEST} --output",
    "hitl approve": f'{_REQUEST} --note "as agreed"',
    "hitl withdraw": _REQUEST,
    "hitl reject": f'{_REQUEST} --reason "the tone is wrong"',
    "hitl edit": f"{_REQUEST} output.json",
    "hitl answer": f'{_REQUEST} "for beginners"',
    "hitl remove": f'{_REQUEST} --reason "asked twice"',
    "hitl link": f"{_REQUEST} --for ann",
    "hitl links list": f"--run {_RUN}",
    "hitl links revoke": "lnk_4f7c",
    "tasks list": "--role editor",
    "tasks show": f"{_RUN}:write",
    "tasks submit": f"{_RUN}:write output.json",
    "tasks decline": f'{_RUN}:write --reason "not mine"',
    "capabilities try": "acme.sum --bundle bundle.json",
    "capabilities list": "--status silent",
    "capabilities show": "acme.sum",
    "capabilities register": "acme.yaml",
    "capabilities disable": "acme.sum --version 1.2.0",
    "capabilities enable": "acme.sum",
    "capabilities remove": "acme.sum --version 1.0.0",
    "facets list": "--json",
    "facets register": "facet.yaml",
    "webhooks add": "https://receiver.example/flexrun --event complete",
    "webhooks list": "--json",
    "webhooks remove": "01a2037e-0000-7000-8000-000000000001",
    "webhooks deliveries": "01a2037e-0000-7000-8000-000000000001 --status given_up",
    "mcp tools": "-- npx -y @acme/tools",
    "mcp import": "acme --tool search -- npx -y @acme/tools",
    "db migrate": "--database postgresql://flexrun@db.example/flexrun",
    "db rebuild": "--database postgresql://flexrun@db.example/flexrun",
}


def add_examples(app: typer.Typer) -> None:
    """Give each command its example as the last line of its help, unless its own text has one."""
    for name, command in _commands(app):
        own = f"{(command.callback.__doc__ if command.callback else '') or ''}{command.epilog or ''}"
        if name in EXAMPLES and "xample: flexrun" not in own:
            example = f"Example: flexrun {name} {EXAMPLES[name]}"
            command.epilog = f"{example}\n\n{command.epilog}" if command.epilog else example


def _commands(app: typer.Typer, *words: str) -> Iterator[tuple[str, CommandInfo]]:
    for command in app.registered_commands:
        callback = command.callback
        name = command.name or (callback.__name__.replace("_", "-") if callback else "")
        yield " ".join((*words, name)), command
    for group in app.registered_groups:
        if group.typer_instance is not None and group.name:
            yield from _commands(group.typer_instance, *words, group.name)
