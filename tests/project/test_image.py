"""The Dockerfile and compose.yaml name what exists, and nothing secret. Run: pytest tests/project/test_image.py"""

from __future__ import annotations

import re
from pathlib import Path

import typer
import yaml

from app.cli import commands

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
EXAMPLE = (ROOT / "wayfinder.env.example").read_text(encoding="utf-8")


def last_stage() -> str:
    return DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]


def test_what_the_dockerfile_copies_is_here() -> None:
    copied = re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE, re.M)
    assert {"app", "indexer", "retrieval", "eval", "data", ".streamlit"} <= set(copied)
    for source in copied:
        assert list(ROOT.glob(source)), f"the Dockerfile copies {source}, which does not exist"


def test_the_image_runs_without_root_and_says_whether_it_is_well() -> None:
    stage = last_stage()
    assert re.findall(r"^USER (\S+)$", stage, re.M) == ["wayfinder"]
    assert stage.index("USER wayfinder") < stage.index("HEALTHCHECK") < stage.index("CMD [\"wayfinder")  # fmt: skip
    assert "pip install" not in stage


def test_every_service_is_the_same_image_and_a_command_that_exists() -> None:
    known = typer.main.get_command(commands()).commands
    profiles = {"app": None, "api": ["api"], "bot": ["bot"], "app-2": ["https"]}
    ours = {name: service for name, service in COMPOSE["services"].items() if name != "proxy"}
    assert ours.keys() == profiles.keys()
    for name, service in ours.items():
        assert service["image"] == "wayfinder" and service["read_only"] is True
        assert service["restart"] == "unless-stopped" and service["mem_limit"]
        command = service.get("command", ["wayfinder", "serve"])
        assert command[0] == "wayfinder" and command[1] in known
        assert service.get("profiles") == profiles[name]
        for volume in service["volumes"]:
            assert volume.split(":")[0] in COMPOSE["volumes"]


def test_the_proxy_asks_the_services_that_are_there() -> None:
    caddyfile = (ROOT / "Caddyfile").read_text(encoding="utf-8")
    apps = re.search(r"\{\$APPS:([^}]+)\}", caddyfile)
    assert apps is not None
    assert apps[1].split() == [f"{name}:8501" for name in COMPOSE["services"] if name.startswith("app")]  # fmt: skip
    proxy = COMPOSE["services"]["proxy"]
    assert proxy["profiles"] == ["https"] and "./Caddyfile:/etc/caddy/Caddyfile:ro" in proxy["volumes"]  # fmt: skip


def test_no_secret_stands_in_the_files_and_every_setting_of_the_example_exists() -> None:
    told = [service.get("environment", {}) for service in COMPOSE["services"].values()]
    assert [row for row in told if row] == [{"SITE": "${SITE:-localhost}"}]
    assert {"wayfinder.env", ".env"} <= set((ROOT / ".gitignore").read_text().split())
    assert "*.env" in (ROOT / ".dockerignore").read_text().split()
    config = (ROOT / "indexer" / "config.py").read_text(encoding="utf-8")
    settings = re.findall(r"^# ([A-Z_]+)=(.*)$", EXAMPLE, re.M)
    assert len(settings) >= 6
    for name, value in settings:
        assert name in config, f"wayfinder.env.example sets {name}, which nothing reads"
        assert not (name.endswith(("KEY", "KEYS", "TOKEN")) and value), f"{name} has a value"
