"""`wayfinder index ...`: make an index of papers, keep it current, and see what is in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from app import show_index, show_map
from app.progress import reporting
from app.terminal import JsonOption, QuietOption, index_directory, out, say
from indexer import config, snapshots
from indexer.build import (
    BuildOptions,
    add_facilities,
    build_index,
    map_index,
    reencode_index,
    update_index,
)
from indexer.encoder import load_encoder, load_encoder_of
from indexer.layout import SEED
from indexer.manifest import Manifest
from indexer.records import IngestReport
from indexer.sources import check_source
from indexer.store import read_manifest, verify_parts
from retrieval import load_index
from retrieval.cluster_names import cluster_namer

index_app = typer.Typer(
    help="Make an index of papers, keep it current, and see what is in it.", no_args_is_help=True
)

SourcesOption = Annotated[
    list[str],
    typer.Option(
        "--from",
        help="A file (.jsonl, .jsonl.gz, .csv, .parquet, .bib), `ads:QUERY`, `arxiv:CATEGORY [since DATE]`, "
        "`arxiv-snapshot:FILE[#CATEGORY]`, `astro-ph-kg:DIR` or `starter`. Repeatable.",
    ),
]
LimitOption = Annotated[
    int | None, typer.Option(help="Stop after this many usable papers.", min=1, show_default=False)
]
AsOfOption = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d"],
        help="Date that ages are counted from. Default: today.",
        show_default=False,
    ),
]
TitleOnlyOption = Annotated[
    bool, typer.Option("--title-only", help="Also take papers without an abstract.")
]
MapOption = Annotated[
    bool,
    typer.Option(
        "--map", help="Also lay the papers out on a map: `wayfinder index map` does it later."
    ),
]
KeepOption = Annotated[
    int | None,
    typer.Option(
        help="Earlier snapshots kept for `rollback`. Default: WAYFINDER_KEEP_SNAPSHOTS, else 2.",
        min=0,
        max=100,
        show_default=False,
    ),
]
EncoderOption = Annotated[
    str | None,
    typer.Option(
        help="`astro`, `astro-fast`, `minilm`, a sentence-transformers model by name or path, or `openai:MODEL`. "
        "Default: WAYFINDER_ENCODER, else astro.",
        show_default=False,
    ),
]
DirectoryArgument = Annotated[
    Path | None,
    typer.Argument(
        help="Index directory. Default: WAYFINDER_INDEX, else the starter corpus.",
        show_default=False,
    ),
]


@index_app.command("build")
def index_build(
    sources: SourcesOption,
    directory: Annotated[
        Path,
        typer.Option("--out", help="Directory of the index; replaced in one step if it is there."),
    ],
    limit: LimitOption = None,
    encoder: EncoderOption = None,
    as_of: AsOfOption = None,
    title_only: TitleOnlyOption = False,
    with_map: MapOption = False,
    keep: KeepOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Index papers: read, merge duplicates, encode, write.

    Papers encoded before are not encoded again, and a harvest that was interrupted goes on: run the same
    command again. The index at OUT stays usable until the new one is complete.
    """
    for source in sources:  # a mistyped one is said before the encoder is loaded
        check_source(source)
    chosen = load_encoder(encoder or config.encoder_name())
    options = replace(_options(limit, as_of, title_only, keep), with_map=with_map)
    _run(
        lambda **shown: build_index(sources, directory, encoder=chosen, options=options, **shown),
        directory,
        json_output,
        quiet,
    )


@index_app.command("update")
def index_update(
    directory: Annotated[Path, typer.Argument(help="Index directory.", show_default=False)],
    sources: SourcesOption,
    limit: LimitOption = None,
    as_of: AsOfOption = None,
    title_only: TitleOnlyOption = False,
    keep: KeepOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Add papers to an index, and what the sources say anew of papers in it.

    Only new and changed papers are read for words and encoded. Searches go on, on the old snapshot, until
    the new one is complete. Given the same records again, nothing changes.
    """
    manifest = read_manifest(directory)
    for source in sources:
        check_source(source)
    chosen = load_encoder_of(manifest.encoder)
    options = _options(limit, as_of, title_only, keep)
    _run(
        lambda **shown: update_index(directory, sources, encoder=chosen, options=options, **shown),
        directory,
        json_output,
        quiet,
    )


@index_app.command("map")
def index_map(
    directory: DirectoryArgument = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same map.")] = SEED,
    names: Annotated[
        bool,
        typer.Option(
            "--names",
            help="Have the language model name the clusters, from their terms and titles.",
        ),
    ] = False,
    keep: KeepOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Lay the papers of an index out on a map, in labelled clusters; anew where it has one.

    `index update` places new papers into the map without moving the others. Searches go on meanwhile.
    """
    path = index_directory(directory, quiet)
    namer = cluster_namer(load_index(path), say) if names else None
    with reporting(quiet=quiet) as progress:
        kept = config.kept_snapshots() if keep is None else keep
        map_index(path, seed=seed, keep=kept, namer=namer, progress=progress)
    row = show_map.map_row(load_index(path))
    out(json.dumps(row, ensure_ascii=False) if json_output else show_map.map_page(row))


@index_app.command("facilities")
def index_facilities(
    directory: DirectoryArgument = None,
    keep: KeepOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Detect the facilities and methods of an index's papers, anew where it has them.

    `index build` and `index update` do it by themselves; an index of an earlier Wayfinder lacks it.
    """
    path = index_directory(directory, quiet)
    with reporting(quiet=quiet) as progress:
        add_facilities(path, keep=keep, progress=progress)
    row = show_index.facilities_row(load_index(path))
    out(json.dumps(row, ensure_ascii=False) if json_output else show_index.facilities_page(row))


@index_app.command("reencode")
def index_reencode(
    directory: DirectoryArgument = None,
    encoder: EncoderOption = None,
    keep: KeepOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Encode the papers of an index anew, with another encoder; nothing is read or harvested again.

    Searches go on meanwhile, and `wayfinder index rollback` brings the earlier vectors back.
    """
    path = index_directory(directory, quiet)
    chosen = load_encoder(encoder or config.encoder_name())
    with reporting(quiet=quiet) as progress:
        now = reencode_index(path, encoder=chosen, keep=keep, progress=progress)
    row = {"index": str(path), "snapshot": now.snapshot, "encoder": now.encoder}
    out(
        json.dumps(row)
        if json_output
        else f"{path}: snapshot {now.snapshot}, {now.n_papers:,} papers encoded with {now.encoder}"
    )


@index_app.command("rollback")
def index_rollback(
    directory: Annotated[Path, typer.Argument(help="Index directory.", show_default=False)],
    to: Annotated[
        str | None,
        typer.Option(
            help="Snapshot to go to, by the start of its name. Default: the one before.",
            show_default=False,
        ),
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Put an earlier snapshot of an index in use; the one in use now is kept, `--to` brings it back."""
    now = snapshots.rollback(directory, to)
    row = {"index": str(directory), "snapshot": now.snapshot, "n_papers": now.n_papers}
    out(
        json.dumps(row)
        if json_output
        else f"{directory}: snapshot {now.snapshot} of {now.created} is in use, {now.n_papers:,} papers"
    )


@index_app.command("explain")
def index_explain(
    identifier: Annotated[
        str, typer.Argument(help="Bibcode, arXiv id or DOI.", show_default=False)
    ],
    index: Annotated[
        Path | None,
        typer.Option(
            "--index",
            help="Index directory. Default: WAYFINDER_INDEX, else the starter corpus.",
            show_default=False,
        ),
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Say which records became a paper, from which sources, and what made them one."""
    row = show_index.explain_row(load_index(index_directory(index)), identifier)
    out(json.dumps(row, ensure_ascii=False) if json_output else show_index.explain_page(row))


@index_app.command("status")
def index_status(
    directory: DirectoryArgument = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every part again and compare its checksum.")
    ] = False,
    json_output: JsonOption = False,
) -> None:
    """Say what an index holds: papers by year and source, encoder, size, freshness, what was kept out and why."""
    path = index_directory(directory)
    manifest = read_manifest(path)
    verify_parts(path, manifest, trust_unchanged=not verify)
    status = show_index.status_row(load_index(path))
    out(json.dumps(status, ensure_ascii=False) if json_output else show_index.status_page(status))


def _options(
    limit: int | None, as_of: datetime | None, title_only: bool, keep: int | None
) -> BuildOptions:
    return BuildOptions(
        limit=limit,
        as_of=as_of.date() if as_of else None,
        title_only=title_only,
        keep=config.kept_snapshots() if keep is None else keep,
    )


def _run(
    work: Callable[..., tuple[Manifest, IngestReport]],
    directory: Path,
    json_output: bool,
    quiet: bool,
) -> None:
    """Build or update with progress on stderr, then say what became of every record."""
    with reporting(quiet=quiet) as progress:
        manifest, report = work(progress=progress, tell=_silent if quiet else say)
    if not json_output:
        out(show_index.build_summary(directory, manifest.n_papers, report))
        return
    summary = {
        "index": str(directory),
        "snapshot": manifest.snapshot,
        "encoder": manifest.encoder,
        "n_papers": manifest.n_papers,
        "read": report.read,
        "indexed": report.indexed,
        "merged": report.merged,
        "skipped": dict(report.skipped),
    }
    out(json.dumps(summary, ensure_ascii=False))


def _silent(text: str) -> None:
    return
