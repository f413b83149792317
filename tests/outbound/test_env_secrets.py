"""References to variables of the environment: resolved where the call is made, and never shown."""

import pytest

from outbound.env_secrets import EnvSecrets, SecretMissing
from schemas.redaction import redact


def test_a_reference_becomes_the_value_and_other_text_stays() -> None:
    secrets = EnvSecrets({"KEY": "value-of-the-key"})

    headers = secrets.resolve_all({"Authorization": "Bearer ${env:KEY}", "Plain": "$KEY ${KEY}"})

    assert headers == {"Authorization": "Bearer value-of-the-key", "Plain": "$KEY ${KEY}"}


def test_a_value_that_was_read_is_redacted_everywhere_and_taken_out_of_answers() -> None:
    secrets = EnvSecrets({"KEY": "read-once-and-redacted"})
    secrets.resolve("${env:KEY}")

    assert "read-once-and-redacted" not in redact("it said: read-once-and-redacted")
    assert secrets.clean(b'{"echo": "read-once-and-redacted"}') == b'{"echo": "[redacted]"}'


@pytest.mark.parametrize("name", ["MISSING", "EMPTY", "FLEXRUN_DATABASE_URL", "PGPASSWORD"])
def test_what_is_not_set_or_belongs_to_the_engine_is_refused_by_name(name: str) -> None:
    environ = {"EMPTY": "", "FLEXRUN_DATABASE_URL": "postgres://secret", "PGPASSWORD": "pg-secret"}

    with pytest.raises(SecretMissing, match=name) as refused:
        EnvSecrets(environ).resolve(f"${{env:{name}}}")

    assert "secret" not in str(refused.value)
