"""Whatever the OpenAPI document allows, and what it does not: no answer is a 500, and all are what it says."""

import asyncio
import sys
from pathlib import Path

from tests.support.gateways import RunningGateway

_SECONDS = 20
_CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


async def test_no_request_that_the_document_describes_breaks_it(
    gateway: RunningGateway, tmp_path: Path
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "schemathesis.cli",
        "run",
        f"{gateway.url}/openapi.json",
        f"--checks={_CHECKS}",
        "--phases=examples,coverage,fuzzing",
        "--max-examples=5",
        f"--max-time={_SECONDS}",
        "--generation-database=:memory:",
        "--seed=20261127",
        "--request-timeout=10",
        "--continue-on-failure",
        "--suppress-health-check=all",
        "--warnings=off",
        "--no-color",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=tmp_path,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()[-8_000:]
