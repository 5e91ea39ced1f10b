"""The REST port: its connections, and what holds a client to its bounds."""

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from serving.errors import ServingError
from serving.server.options import ServerOptions
from serving.server.rest.connection import Connection
from serving.server.rest.http import HEAD_BYTES, Answer, HttpError, Request, encode_answer
from serving.server.rest.json_text import error_body

_LOG = logging.getLogger(__name__)
# Bodies of so many times the largest one are in memory at once, and further ones are refused.
_BODIES = 2
_BACKLOG = 128


class RestDoor:
    """Listens, reads requests in one loop and has them answered by a pool of threads.

    Args:
        answer: Answers a request; called in the threads of the pool, and must not raise.
        options: Those of the server.
    """

    def __init__(self, answer: Callable[[Request], Answer], options: ServerOptions):
        self._answer = answer
        self._options = options
        self._socket: socket.socket | None = None
        self._pool = ThreadPoolExecutor(options.rest_api_num_threads, thread_name_prefix="rest")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rest", daemon=True)
        self._server: asyncio.Server | None = None
        self._stopping = False
        # Open connections, and whether each has a request that is being answered. Of those that
        # have none, the one that has had none for the longest time stands first.
        self._connections: dict[Connection, bool] = {}
        self._body_bytes = 0

    @property
    def port(self) -> int:
        """The port that is listened on, once bound."""
        assert self._socket is not None
        return int(self._socket.getsockname()[1])

    def bind(self) -> None:
        """Takes the port, without answering yet.

        Raises:
            ServingError: UNAVAILABLE when it cannot be had.
        """
        host, port = self._options.host, self._options.rest_api_port or 0
        try:
            family, _, _, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            self._socket = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
        except OSError:
            raise ServingError(
                "UNAVAILABLE",
                f"cannot listen on {host}:{port} for REST: the port is in use or not permitted; "
                "choose another, or 0 for a free one",
            ) from None

    def start(self) -> None:
        """Takes requests from now on."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    def stop(self, grace: float) -> None:
        """Takes no more connections, and ends those that are open within `grace` seconds."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._close(grace), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()
        if self._socket is not None:
            self._socket.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._connected, sock=self._socket, limit=HEAD_BYTES
        )

    async def _close(self, grace: float) -> None:
        deadline = time.monotonic() + grace
        self._stopping = True
        if self._server is not None:
            self._server.close()
        for connection, busy in list(self._connections.items()):
            if not busy:
                connection.close()
        while self._connections and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        for connection in list(self._connections):
            connection.abort()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= self._options.rest_max_connections and not self._make_room():
            answer = Answer(503, error_body("too many connections; try again later"))
            writer.write(encode_answer(answer, "", keep=False))
            writer.close()
            return
        connection = Connection(reader, writer, self._options.rest_read_timeout_seconds)
        self._connections[connection] = False
        try:
            await self._serve(connection)
        except (TimeoutError, ConnectionError):
            # A client that is gone, or takes no answer, has nobody to be told.
            connection.abort()
        except Exception:
            _LOG.exception("a connection failed in a way it should not")
            connection.abort()
        finally:
            self._connections.pop(connection, None)
            connection.close()

    def _make_room(self) -> bool:
        """Gives the place of the client that has kept the server waiting longest to another."""
        for connection, busy in self._connections.items():
            if not busy:
                del self._connections[connection]
                connection.abort()
                return True
        return False

    async def _serve(self, connection: Connection) -> None:
        while not self._stopping and await connection.has_more():
            with _Reserved(self) as reserved:
                try:
                    request = await connection.read(reserved.take)
                    if request is None:
                        return
                except HttpError as error:
                    await connection.refuse(error)
                    return
                if connection not in self._connections:
                    return
                self._connections[connection] = True
                answer = await self._loop.run_in_executor(self._pool, self._answer, request)
            keep = request.keep and not self._stopping
            await connection.send(encode_answer(answer, request.method, keep))
            if not keep:
                return
            del self._connections[connection]
            self._connections[connection] = False

    def take(self, count: int) -> None:
        """Sets memory aside for bytes of a body, and refuses what would be too much at once."""
        if self._body_bytes + count > _BODIES * self._options.max_request_bytes:
            raise HttpError(503, "the server holds as many requests as it can; try again later")
        self._body_bytes += count

    def give(self, count: int) -> None:
        """Takes back what was set aside."""
        self._body_bytes -= count

    @property
    def most(self) -> int:
        """The size of the largest body."""
        return self._options.max_request_bytes


class _Reserved:
    """The memory set aside for one request, given back at its end."""

    def __init__(self, door: RestDoor):
        self._door = door
        self._count = 0

    def __enter__(self) -> "_Reserved":
        return self

    def __exit__(self, *error: object) -> None:
        self._door.give(self._count)

    def take(self, count: int) -> None:
        if self._count + count > self._door.most:
            raise HttpError(413, f"the body is larger than {self._door.most} bytes")
        self._door.take(count)
        self._count += count
