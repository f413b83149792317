"""How a call in a sandbox can end other than with a result."""

from typing import Any


class SandboxFailed(Exception):
    """The call has no result; the message is fit for a caller."""


class SandboxTimedOut(SandboxFailed):
    """The call used more CPU time than its deadline, or its child hung over it twice; the child was ended."""


class SandboxCrashed(SandboxFailed):
    """The call needed more memory or stack than a child has."""


class SandboxUnavailable(SandboxFailed):
    """No child could be started, or the sandbox is closed: not the caller's fault, and worth a retry."""


class FunctionFailed(SandboxFailed):
    """The function raised something that it does not document: a bug in the function. The message names it."""


class InputRefused(Exception):
    """Raised by a function in the child, and by `Sandbox.call` in turn: the input is at fault.

    `data` is anything that JSON can hold; it says what is wrong in the function's own terms.
    """

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self.data = data
