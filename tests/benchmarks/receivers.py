"""Other systems for measurements: a small server that accepts every delivery, and answers as sipgate.io's format wants.

`python -m tests.benchmarks.receivers PORT` serves until it is ended."""

from __future__ import annotations

import asyncio
import sys

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}"


async def serve(port: int) -> None:
    """Accept connections that stay open; an address with `sipgate` is answered where the other steps are sent."""
    address = f"http://127.0.0.1:{port}/sipgate"
    xml = f'<?xml version="1.0"?><Response onAnswer="{address}" onHangup="{address}"/>'.encode()
    named = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n%s" % (len(xml), xml)

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length or 0))
                writer.write(named if b"/sipgate" in head.split(b"\r\n", 1)[0] else PLAIN)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(receive, "127.0.0.1", port, limit=64 * 1024, backlog=200)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
