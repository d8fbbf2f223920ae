"""A port on loopback with threads behind it."""

import contextlib
import socket
import threading


class Listening:
    """Gives every connection to `serve`, in a thread of its own, and closes it afterwards."""

    def __init__(self, serve):
        self._serve = serve
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._socket.accept()
                threading.Thread(target=self._answer, args=(peer,), daemon=True).start()

    def _answer(self, peer):
        with contextlib.suppress(OSError), peer:
            self._serve(peer)

    def close(self):
        """The thread ends first: one that still waited might go on with whoever gets the number of the descriptor."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()
