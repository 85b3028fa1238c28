"""A load balancer that forgets connections, and tells so, by a reset, whoever sends the next packet."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress
from typing import Self

_RESET = struct.pack("ii", 1, 0)


class IdleCutter:
    """Forward to a port of this machine, for a ``with`` block.

    :param target: that port.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self.drips = False
        """Whether what comes back is passed on byte by byte, one every 50 ms."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._forgotten: set[socket.socket] = set()
        self.port: int = self._listener.getsockname()[1]

    @property
    def connections(self) -> int:
        """How many were made."""
        return len(self._pairs)

    def lead_to(self, target: int) -> None:
        """Forward later connections to another port."""
        self._target = target

    def cut(self) -> None:
        """Forget all that there are."""
        self._forgotten.update(client for client, _ in self._pairs)

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for pair in self._pairs:
            for end in pair:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._pairs.append((client, server))
                for source, sink in ((client, server), (server, client)):
                    arguments = source, sink, source is server
                    threading.Thread(target=self._pass_on, args=arguments, daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, comes_back: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if source in self._forgotten:
                    source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    break
                if comes_back and self.drips:
                    for number in range(len(data)):
                        sink.sendall(data[number : number + 1])
                        time.sleep(0.05)
                else:
                    sink.sendall(data)
        source.close()
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
