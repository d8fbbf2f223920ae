"""A port on loopback with threads behind it."""

import contextlib
import socket
import threading
import time


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


class Impostor(Listening):
    """A server that answers in its own way: `answer(peer, data)`."""

    def __init__(self, answer):
        def serve(peer):
            while data := peer.recv(65536):
                answer(peer, data)
        super().__init__(serve)


def slowly(port, quiet=0.2):
    """For an Impostor: hands everything on to who listens there, and what is said until a pause of so many seconds a
    second later."""
    def answer(peer, data):
        with socket.create_connection(("127.0.0.1", port)) as real:
            real.sendall(data)
            real.settimeout(quiet)
            replies = b""
            with contextlib.suppress(OSError):
                while chunk := real.recv(65536):
                    replies += chunk
        time.sleep(1)
        peer.sendall(replies)
    return answer
