"""The least that a server of the same payload can do: look the request's bytes up and send recorded bytes back.

    python -m tests.benchmarks.getfeed_echo EXCHANGES WORKERS THREADS

Prints its address and answers until its input ends.
"""

from __future__ import annotations

import multiprocessing
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

from recommender.service.ports import hold_port
from recommender.service.server import FEED_SERVICE
from tests.benchmarks.getfeed_load import read_exchanges


def answer(exchanges: Path, threads: int, address: str) -> None:
    """Serve in this process, the way a worker does but for the work."""
    replies = {exchange.request: exchange.reply for exchange in read_exchanges(exchanges)}

    def echo(data: bytes, context: grpc.ServicerContext) -> bytes:
        return replies[data]

    options = [("grpc.so_reuseport", 1)]
    server = grpc.server(ThreadPoolExecutor(threads), options=options, maximum_concurrent_rpcs=256)
    handlers = {"GetFeed": grpc.unary_unary_rpc_method_handler(echo)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(FEED_SERVICE, handlers),))
    server.add_insecure_port(address)
    server.start()
    server.wait_for_termination()


def main() -> None:
    """Start the processes and wait."""
    exchanges, workers, threads = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    held = hold_port("127.0.0.1:0")
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=answer, args=(exchanges, threads, held.address), daemon=True) for _ in range(workers)
    ]
    for process in processes:
        process.start()
    print(held.address, flush=True)
    sys.stdin.read()
    for process in processes:
        process.terminate()


if __name__ == "__main__":
    main()
