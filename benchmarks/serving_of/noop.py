"""The yardstick: a gRPC server in Python that reads a Predict request and sends a ready answer.

    python -m benchmarks.serving_of.noop ANSWER

It neither parses the request nor runs a model: what a server of this kind could reach at best.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

THREADS = 16


def main(answer: bytes) -> None:
    """Serves until it is told to end."""
    handler = grpc.unary_unary_rpc_method_handler(lambda request, context: answer)
    serve(
        grpc.method_handlers_generic_handler(
            "tensorflow.serving.PredictionService", {"Predict": handler}
        )
    )


def serve(handlers: grpc.GenericRpcHandler) -> None:
    """Prints `ready HOST:PORT` and answers with these handlers."""
    server = grpc.server(ThreadPoolExecutor(THREADS), handlers=[handlers])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"ready 127.0.0.1:{port}", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main(Path(sys.argv[1]).read_bytes())
