"""What a refused schema, a failed check and an invalid document look like."""

from typing import Any, TypedDict

from schemas.refusal import DocumentRefused, FieldProblem

SchemaProblem = FieldProblem
"""One thing wrong with a schema: a stable `code` (`schema_...`), a JSON `pointer` into the schema, a `message`."""


class SchemaRefused(DocumentRefused):
    """The caller's schema cannot serve as a contract; `problems` says why and where, and is never empty."""


class CheckFailed(Exception):
    """A document could not be judged. It is neither valid nor invalid; the message is fit for a caller."""


class CheckTimedOut(CheckFailed):
    """Judging the document took longer than the deadline; the checker process was ended."""


class CheckCrashed(CheckFailed):
    """Judging the document ended the checker process, twice, or a pattern needed more stack than its engine has."""


class CheckerUnavailable(CheckFailed):
    """No checker process could be started, or the checker is closed: not the caller's fault, and worth a retry."""


class AjvError(TypedDict):
    """One way in which a document breaks its contract, in the shape that Ajv made common."""

    instancePath: str
    keyword: str
    message: str
    params: dict[str, Any]
    schemaPath: str
