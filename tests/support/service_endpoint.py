"""How xdist's workers ask the pytest controller for services, so that one process owns them and starts each once."""

import os
import threading
from multiprocessing.connection import Client, Connection, Listener
from secrets import token_hex

from tests.support.services import ServiceMissing, Services

_ADDRESS = "FLEXRUN_TEST_SERVICES"


class ServiceDoor:
    """The controller's side: answers the workers until closed."""

    def __init__(self, services: Services) -> None:
        self._services = services
        key = token_hex(16)
        self._listener = Listener(("127.0.0.1", 0), authkey=key.encode())
        os.environ[_ADDRESS] = f"{self._listener.address[1]} {key}"
        threading.Thread(target=self._serve, name="service-door", daemon=True).start()

    def ask(self, name: str) -> str:
        """See Services.ask."""
        return self._services.ask(name)

    def close(self) -> None:
        """Stop answering, then end the services."""
        os.environ.pop(_ADDRESS, None)
        self._listener.close()
        self._services.close()

    def _serve(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: Connection) -> None:
        with connection:
            name = connection.recv()
            try:
                connection.send((True, self.ask(name)))
            except Exception as error:  # noqa: BLE001 - any error: the worker that asked reports it
                kind = "" if isinstance(error, ServiceMissing) else f"{type(error).__name__}: "
                connection.send((False, f"{kind}{error}"))


def ask_controller(name: str) -> str:
    """The workers' side. Raises ServiceMissing with the controller's reason."""
    port, key = os.environ[_ADDRESS].split()
    with Client(("127.0.0.1", int(port)), authkey=key.encode()) as connection:
        connection.send(name)
        found, answer = connection.recv()
    if not found:
        raise ServiceMissing(answer)
    return answer
