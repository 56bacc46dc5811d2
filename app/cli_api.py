"""`wayfinder api` and `wayfinder mcp`: Wayfinder for notebooks, scripts and assistants."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from app.options import IndexOption
from app.terminal import QuietOption, index_directory, say
from indexer import config
from indexer.errors import QueryError

LOOPBACK = ("localhost", "127.0.0.1", "::1")
MOST_CONNECTIONS = 1000

HostOption = Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")]
RootOption = Annotated[
    str, typer.Option(help="Path under which a reverse proxy serves it, such as /wayfinder.")
]


def api(
    index: IndexOption = None,
    port: Annotated[int, typer.Option(help="Port of the API.", min=1, max=65535)] = 8600,
    host: HostOption = "localhost",
    workers: Annotated[
        int, typer.Option(help="Processes that share the port; one a core is most.", min=1, max=64)
    ] = 1,
    root_path: RootOption = "",
    quiet: QuietOption = False,
) -> None:
    """Serve search, ask, similar, impact and papers over HTTP, and to assistants at /mcp.

    /openapi.json describes it. With WAYFINDER_API_KEYS set, a key of them is asked for.
    """
    _serve("from_environment", index, port, host, workers, root_path, quiet)


def mcp(
    index: IndexOption = None,
    http: Annotated[
        bool, typer.Option("--http", help="Over streamable HTTP at /mcp, instead of stdio.")
    ] = False,
    port: Annotated[int, typer.Option(help="Port, with --http.", min=1, max=65535)] = 8601,
    host: HostOption = "localhost",
    root_path: RootOption = "",
    quiet: QuietOption = False,
) -> None:
    """Serve an assistant over the Model Context Protocol: on standard input and output, or with --http.

    The assistant's host starts it; it has the tools search, ask, similar, impact and paper.
    """
    if http:
        _serve("mcp_from_environment", index, port, host, 1, root_path, quiet)
        return
    from app.api_service import Service
    from app.mcp_server import mcp_server
    from app.served_index import ServedIndex

    served = ServedIndex(index_directory(index, quiet))
    say(f"Wayfinder serves {len(served.current().papers):,} papers on standard input and output")
    mcp_server(Service(served)).run("stdio")


def _serve(
    made_by: str,
    index: Path | None,
    port: int,
    host: str,
    workers: int,
    root_path: str,
    quiet: bool,
) -> None:
    import uvicorn

    from app.http_server import ImpatientHTTP
    from retrieval import load_index

    if root_path and not root_path.startswith("/"):
        raise QueryError(f"--root-path is {root_path!r}: begin it with a slash.")
    (
        config.api_config(),
        config.llm_config(),
        config.reranker_config(),
        config.metrics_key(),
        config.log_config(),
        config.questions_at_once(),
        config.visitor_day_tokens(),
    )  # mistakes are said here, once
    directory = index_directory(index, quiet).resolve()
    load_index(directory)  # an index that cannot be opened too
    os.environ["WAYFINDER_INDEX"] = str(directory)
    if host in LOOPBACK:
        os.environ.setdefault("WAYFINDER_API_HOSTS", ",".join(LOOPBACK))
    say(f"Wayfinder is starting on http://{host}:{port}{root_path} with {directory}")
    uvicorn.run(
        f"app.api:{made_by}",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        http=ImpatientHTTP,
        root_path=root_path.rstrip("/"),
        access_log=False,  # addresses and what was read are nobody's business
        log_level="warning",
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
    )
