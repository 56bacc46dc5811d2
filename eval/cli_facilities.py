"""`wayfinder eval facilities`: used and mentioned facilities on labelled abstracts, confusions, speed."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from eval.options import JsonOption

app = typer.Typer()


@app.command()
def facilities(
    labels: Annotated[
        Path | None,
        typer.Option(
            help="JSON lines of papers: title, abstract, used [...], mentioned [...].",
            show_default=False,
        ),
    ] = None,
    speed: Annotated[
        str | None,
        typer.Option(
            help="Also scan this source, such as corpus.jsonl.gz, and say how long it took.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes of the scan. Default: all cores.", min=1)
    ] = None,
    show_errors: Annotated[
        bool, typer.Option("--errors", help="List the differences on the developing half.")
    ] = False,
    json_output: JsonOption = False,
) -> None:
    """F1 on used and on used-or-mentioned, halves apart; every confusion; papers a second."""
    from eval import facilities as measured

    result: dict[str, Any] = {}
    if labels is not None:
        read = measured.read_labelled(labels)
        halves = {half: [one for one in read if one.half == half] for half in ("dev", "test")}
        result["scores"] = {
            half: {name: asdict(score) for name, score in measured.scores(some).items()}
            for half, some in {**halves, "all": read}.items()
            if some
        }
        result["errors"] = measured.errors(halves["dev"]) if show_errors else []
    found = measured.confusions()
    result["confusions"] = {"n": len(found), "failed": [asdict(one) for one in found if not one.passed]}  # fmt: skip
    if speed is not None:
        result["speed"] = measured.speed(_papers(speed), workers=workers)
    sys.stdout.write((json.dumps(result, ensure_ascii=False) if json_output else _page(result)) + "\n")  # fmt: skip


@app.command("facility-weights")
def facility_weights(
    labels: Annotated[
        Path, typer.Option(help="JSON lines of papers: title, abstract, used [...], mentioned [...].")
    ],
    source: Annotated[
        str, typer.Option(help="Where the papers of the verdicts stand: corpus.jsonl.gz.")
    ],
    verdicts: Annotated[
        Path | None, typer.Option(help="JSON lines of id, used [...], mentioned [...]. Default: Wayfinder's own.", show_default=False)
    ] = None,
    write: Annotated[
        Path | None, typer.Option(help="Write the fitted weights here: data/usage.csv.", show_default=False)
    ] = None,
) -> None:  # fmt: skip
    """Fit the weights of the cues that tell used from mentioned; say what cross-validation by paper gives."""
    from eval import facility_weights as measured
    from eval.facilities import read_labelled

    given = measured.cases(read_labelled(labels))
    judged = measured.cases(measured.verdicts(_papers(source), verdicts or measured.VERDICTS))
    for name, some, also in (("labels", given, judged), ("verdicts", judged, given)):
        f1 = measured.cross_validated(some, also)
        sys.stdout.write(f"{name:<9}{len(some):>5} names  F1 on used: guessed {f1['guessed']:.3f}, fitted to other papers {f1['fitted']:.3f}\n")  # fmt: skip
    if write is not None:
        measured.write(measured.fit([*given, *judged]), write)
        sys.stdout.write(f"Wrote {write}.\n")


def _papers(source: str) -> Any:
    from indexer.records import IngestReport
    from indexer.sources import read_source

    return read_source(source, IngestReport(), title_only=True)


def _page(result: dict[str, Any]) -> str:
    lines = []
    for half, of_half in result.get("scores", {}).items():
        for name, s in of_half.items():
            lines.append(
                f"{half:<5}{name:<19}F1 {s['f1']:.3f} [{s['low']:.3f}, {s['high']:.3f}]  precision {s['precision']:.3f}  "
                f"recall {s['recall']:.3f}  ({s['n_papers']} papers, {s['n_labels']} names)"
            )
    for row in result.get("errors", []):
        lines.append(f"  {row['id']} {row['title'][:70]}")
        lines.append(f"    used {row['used']}, labelled {row['used_label']}; mentioned {row['mentioned']}, labelled {row['mentioned_label']}")  # fmt: skip
    failed = result["confusions"]["failed"]
    n = result["confusions"]["n"]
    lines.append(f"confusions: {n - len(failed)} of {n} passed")
    lines += [f"  failed: {one['text']} (found {', '.join(one['found']) or 'nothing'})" for one in failed]  # fmt: skip
    if "speed" in result:
        s = result["speed"]
        lines.append(f"{s['papers']:,} papers scanned in {s['seconds']} s ({s['papers_a_second']:,.0f} a second), {s['with_facility']:,} name a facility")  # fmt: skip
    return "\n".join(lines)
