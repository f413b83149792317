"""What is wrong with a document, in words by which its author can correct it."""

from dataclasses import dataclass

MAX_PROBLEMS = 50


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing wrong: a stable `code`, an RFC 6901 `pointer` into the document, a `message` for a person."""

    code: str
    pointer: str
    message: str


class DocumentRefused(Exception):
    """A document that came from outside is not what it should be.

    `problems` is never empty and holds at most `MAX_PROBLEMS`; `omitted` counts those left out.
    """

    def __init__(self, problems: list[FieldProblem], omitted: int = 0) -> None:
        if not problems:
            msg = "a refusal names at least one problem"
            raise ValueError(msg)
        kept = problems[:MAX_PROBLEMS]
        super().__init__(kept, omitted)
        self.problems = kept
        self.omitted = omitted + len(problems) - len(kept)

    def __str__(self) -> str:
        first = self.problems[0]
        more = len(self.problems) + self.omitted - 1
        tail = f" (and {more} more)" if more else ""
        return f"{first.pointer or 'the document'}: {first.message}{tail}"
