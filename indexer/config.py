"""The environment, read in one place: every setting that is not given on the command line; docs/settings.md lists them."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from indexer.errors import QueryError

REPOSITORY = Path(__file__).resolve().parent.parent
LOOK = REPOSITORY / ".streamlit" / "config.toml"  # of the pages: theme, toolbar
STARTER_CORPUS = REPOSITORY / "data" / "starter.jsonl"
ENCODER_FOLDER = REPOSITORY / "models" / "encoder"
FAST_FOLDER = REPOSITORY / "models" / "encoder-fast"
RERANKER_FOLDER = REPOSITORY / "models" / "reranker"
CROSS_ENCODER_FOLDER = REPOSITORY / "models" / "cross-encoder"
DEFAULT_ENCODER = "astro"
DEFAULT_LLM_MODEL = "gpt-4o-mini"
DEFAULT_LLM_TIMEOUT_SECONDS = 60.0
DEFAULT_LLM_CONCURRENCY = 4
DEFAULT_RERANK_SECONDS = 10.0
DEFAULT_ARXIV_URL = "https://oaipmh.arxiv.org/oai"
DEFAULT_MAX_WAIT_SECONDS = 3600.0
DEFAULT_KEPT_SNAPSHOTS = 2
DEFAULT_SLACK_URL = "https://slack.com/api/"
DEFAULT_SLACK_KEEP_DAYS = 7
DEFAULT_SLACK_USER_PER_MINUTE = 6
DEFAULT_SLACK_CHANNEL_PER_MINUTE = 20
DEFAULT_API_CALLS_PER_MINUTE = 600
DEFAULT_API_ANSWERS_PER_MINUTE = 30
FEWEST_KEY_CHARACTERS = 16
FEWEST_PASSWORD_CHARACTERS = 8
DEFAULT_QUESTIONS_AT_ONCE = 8
DEFAULT_VISITOR_CONNECTIONS = 100
PUBLIC = "public"  # in place of the key of the metrics


class Secret(str):
    """A string that shows itself as `***` in a repr, so in a log or a traceback too."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'" if self else "''"


@dataclass(frozen=True)
class LLMConfig:
    """Which language model answers; `enabled` is False when neither key nor server is set."""

    base_url: str | None = None
    model: str = DEFAULT_LLM_MODEL
    api_key: Secret = field(default_factory=lambda: Secret(""))
    timeout_seconds: float = DEFAULT_LLM_TIMEOUT_SECONDS
    api_version: str | None = None  # of Azure OpenAI
    concurrency: int = DEFAULT_LLM_CONCURRENCY
    cache: Path | None = None  # folder of kept replies; None: none are kept
    usd_per_million_in: float | None = None
    usd_per_million_out: float | None = None
    session_tokens: int | None = None
    day_tokens: int | None = None
    day_usd: float | None = None
    day_file: Path | None = None  # where the day's sum is kept

    @property
    def enabled(self) -> bool:
        """Whether an answer can be synthesised at all."""
        return bool(self.api_key or self.base_url)


@dataclass(frozen=True)
class ApiConfig:
    """Who may use the HTTP API and how often; a limit of None is no limit."""

    keys: tuple[Secret, ...] = ()  # none: it is open
    calls_per_minute: int | None = DEFAULT_API_CALLS_PER_MINUTE
    answers_per_minute: int | None = DEFAULT_API_ANSWERS_PER_MINUTE
    hosts: tuple[str, ...] = ()  # names in requests that are answered; none: any


@dataclass(frozen=True)
class WebConfig:
    """How the web app is hosted: who may see it, under which path, how much one visitor may do."""

    base_path: str = ""  # "" or "/wayfinder"
    password: Secret = field(default_factory=lambda: Secret(""))  # empty: none is asked for
    login_header: str = ""  # a proxy's header with the visitor's name; empty: none is read
    trusted_proxies: tuple[str, ...] = ()  # addresses and networks
    questions_per_hour: int | None = None  # of one visitor
    connections: int | None = DEFAULT_VISITOR_CONNECTIONS  # of one visitor, at the same time

    @property
    def hosted(self) -> bool:
        """Whether others than who runs it visit: there is a login, or a proxy that is known."""
        return bool(self.password or self.login_header or self.trusted_proxies)


@dataclass(frozen=True)
class LogConfig:
    """What stands in the log."""

    json: bool = False  # a JSON object a line, one for each question; else warnings as text
    questions: bool = False  # with the question and who asked


def cache_dir() -> Path:
    """Where models, vectors and the starter index are kept."""
    return Path(os.environ.get("WAYFINDER_CACHE") or platformdirs.user_cache_dir("wayfinder"))


def index_dir() -> Path | None:
    """The index named by WAYFINDER_INDEX, if any."""
    named = os.environ.get("WAYFINDER_INDEX")
    return Path(named) if named else None


def feedback_file() -> Path | None:
    """The file that readers' feedback is kept in, or None: none is kept."""
    named = os.environ.get("WAYFINDER_FEEDBACK")
    return Path(named) if named else None


def library_folder() -> Path | None:
    """The folder that the libraries of people who log in by name are kept in, or None: none is kept."""
    named = os.environ.get("WAYFINDER_LIBRARY")
    return Path(named) if named else None


def hub_folders() -> tuple[Path, ...]:
    """Where models of the Hugging Face hub are kept, by that hub's own variables."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    named = (os.environ.get("HF_HUB_CACHE"), os.environ.get("SENTENCE_TRANSFORMERS_HOME"))
    return (*(Path(folder) for folder in named if folder), home / "hub")


def hub_url() -> str:
    """The hub's address, by its own variable."""
    return os.environ.get("HF_ENDPOINT") or "https://huggingface.co"


def encoder_name() -> str:
    """The encoder for new indexes."""
    return os.environ.get("WAYFINDER_ENCODER") or DEFAULT_ENCODER


def objects_table() -> Path | None:
    """The user's own table of objects and their aliases, if any."""
    named = os.environ.get("WAYFINDER_OBJECTS")
    return Path(named) if named else None


def simbad_enabled() -> bool:
    """Whether SIMBAD is asked for the names of objects."""
    return _switched_on("WAYFINDER_SIMBAD")


@dataclass(frozen=True)
class RerankerConfig:
    """What reranks: `name` is `astro`, `astro-cross`, another cross-encoder, a URL, `llm`, `none`, or None where nothing is said."""

    name: str | None = None
    model: str = ""
    api_key: Secret = field(default_factory=lambda: Secret(""))
    seconds: float = DEFAULT_RERANK_SECONDS


def reranker_config() -> RerankerConfig:
    """The reranker that the environment asks for.

    Raises:
        QueryError: WAYFINDER_RERANK_SECONDS is not a positive number.
    """
    return RerankerConfig(
        name=os.environ.get("WAYFINDER_RERANKER") or None,
        model=os.environ.get("WAYFINDER_RERANKER_MODEL") or "",
        api_key=Secret(os.environ.get("WAYFINDER_RERANKER_API_KEY") or ""),
        seconds=_seconds("WAYFINDER_RERANK_SECONDS", DEFAULT_RERANK_SECONDS),
    )


def llm_config() -> LLMConfig:
    """The language model that the environment asks for.

    Raises:
        QueryError: a time, price, limit or number is not a positive number.
    """
    price_in, price_out = _prices()
    kept = cache_dir() / "llm"
    return LLMConfig(
        base_url=os.environ.get("WAYFINDER_LLM_BASE_URL") or None,
        model=os.environ.get("WAYFINDER_LLM_MODEL") or DEFAULT_LLM_MODEL,
        api_key=Secret(
            os.environ.get("WAYFINDER_LLM_API_KEY") or os.environ.get("OPENAI_API_KEY") or ""
        ),
        timeout_seconds=_seconds("WAYFINDER_LLM_TIMEOUT_SECONDS", DEFAULT_LLM_TIMEOUT_SECONDS),
        api_version=os.environ.get("WAYFINDER_LLM_API_VERSION") or None,
        concurrency=_whole("WAYFINDER_LLM_CONCURRENCY") or DEFAULT_LLM_CONCURRENCY,
        cache=None if os.environ.get("WAYFINDER_LLM_CACHE") == "0" else kept / "replies",
        usd_per_million_in=price_in,
        usd_per_million_out=price_out,
        session_tokens=_whole("WAYFINDER_LLM_SESSION_TOKENS"),
        day_tokens=_whole("WAYFINDER_LLM_DAY_TOKENS"),
        day_usd=_day_usd(price_in),
        day_file=kept / "spent.json",
    )


def api_config() -> ApiConfig:
    """Who may use the HTTP API, and how often.

    Raises:
        QueryError: a key is too short to be a secret, or a limit is not a whole number.
    """
    keys = _listed("WAYFINDER_API_KEYS")
    if any(len(key) < FEWEST_KEY_CHARACTERS or not key.isascii() for key in keys):
        raise QueryError(
            f"WAYFINDER_API_KEYS holds a key that is not {FEWEST_KEY_CHARACTERS} or more plain characters: "
            "make one with `openssl rand -hex 24`."
        )
    return ApiConfig(
        keys=tuple(map(Secret, keys)),
        calls_per_minute=_limit("WAYFINDER_API_CALLS_PER_MINUTE", DEFAULT_API_CALLS_PER_MINUTE),
        answers_per_minute=_limit(
            "WAYFINDER_API_ANSWERS_PER_MINUTE", DEFAULT_API_ANSWERS_PER_MINUTE
        ),
        hosts=tuple(name.lower() for name in _listed("WAYFINDER_API_HOSTS")),
    )


def web_config() -> WebConfig:
    """How the web app is hosted.

    Raises:
        QueryError: a value cannot be used, or two ways of login are asked for.
    """
    password = os.environ.get("WAYFINDER_PASSWORD") or ""
    if password and len(password) < FEWEST_PASSWORD_CHARACTERS:
        raise QueryError(
            f"WAYFINDER_PASSWORD is shorter than {FEWEST_PASSWORD_CHARACTERS} characters: choose a longer one."
        )
    header = (os.environ.get("WAYFINDER_LOGIN_HEADER") or "").strip().lower()
    if header and not re.fullmatch(r"[a-z0-9-]+", header):
        raise QueryError(
            f"WAYFINDER_LOGIN_HEADER is {header!r}: give the name of a header, such as X-Remote-User."
        )
    proxies = tuple(map(_network, _listed("WAYFINDER_TRUSTED_PROXIES")))
    if header and not proxies:
        raise QueryError(
            "WAYFINDER_LOGIN_HEADER needs WAYFINDER_TRUSTED_PROXIES, the addresses of the proxy that sets it: "
            "anybody else could set it too."
        )
    if header and password:
        raise QueryError("WAYFINDER_PASSWORD and WAYFINDER_LOGIN_HEADER are both set: keep one.")
    return WebConfig(
        base_path=_base_path(),
        password=Secret(password),
        login_header=header,
        trusted_proxies=proxies,
        questions_per_hour=_limit("WAYFINDER_VISITOR_QUESTIONS", 0),
        connections=_limit("WAYFINDER_VISITOR_CONNECTIONS", DEFAULT_VISITOR_CONNECTIONS),
    )


def questions_at_once() -> int:
    """How many answers one process works on at the same time.

    Raises:
        QueryError: WAYFINDER_QUESTIONS_AT_ONCE is not a whole number above 0.
    """
    return _whole("WAYFINDER_QUESTIONS_AT_ONCE") or DEFAULT_QUESTIONS_AT_ONCE


def visitor_day_tokens() -> int | None:
    """The tokens that one visitor may use in a day; None: no limit.

    Raises:
        QueryError: WAYFINDER_VISITOR_DAY_TOKENS is not a whole number above 0.
    """
    return _whole("WAYFINDER_VISITOR_DAY_TOKENS")


def metrics_key() -> Secret:
    """The key that /metrics asks for; empty: there are no metrics; PUBLIC: anybody may read them.

    Raises:
        QueryError: the key is too short to be a secret.
    """
    key = (os.environ.get("WAYFINDER_METRICS_KEY") or "").strip()
    if key and key != PUBLIC and (len(key) < FEWEST_KEY_CHARACTERS or not key.isascii()):
        raise QueryError(
            f"WAYFINDER_METRICS_KEY is not {FEWEST_KEY_CHARACTERS} or more plain characters, nor `{PUBLIC}`: "
            "make one with `openssl rand -hex 24`."
        )
    return Secret(key)


def log_config() -> LogConfig:
    """What stands in the log.

    Raises:
        QueryError: WAYFINDER_LOG is neither text nor json.
    """
    form = os.environ.get("WAYFINDER_LOG") or "text"
    if form not in ("text", "json"):
        raise QueryError(f"WAYFINDER_LOG is {form!r}: choose text or json.")
    return LogConfig(json=form == "json", questions=_switched_on("WAYFINDER_LOG_QUESTIONS"))


def _base_path() -> str:
    """The path under which the web app is served, with a slash before it and none behind; empty for all of the host."""
    path = (os.environ.get("WAYFINDER_BASE_PATH") or "").strip().strip("/")
    if path and not all(re.fullmatch(r"[\w-][\w.-]*", part, re.ASCII) for part in path.split("/")):
        raise QueryError(f"WAYFINDER_BASE_PATH is {path!r}: give a path such as /wayfinder.")
    return f"/{path}" if path else ""


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError as error:
        raise QueryError(
            f"WAYFINDER_TRUSTED_PROXIES holds {text!r}: give addresses or networks, such as 10.0.0.5,172.16.0.0/12."
        ) from error


def _switched_on(name: str) -> bool:
    return os.environ.get(name, "") not in ("", "0", "no", "false")


def _listed(name: str) -> tuple[str, ...]:
    return tuple(filter(None, map(str.strip, os.environ.get(name, "").split(","))))


def _limit(name: str, default: int) -> int | None:
    """A whole number, None for 0, which is no limit."""
    value = os.environ.get(name) or str(default)
    if not value.isdecimal():
        raise QueryError(f"{name} is {value!r}: give a whole number, 0 for no limit.")
    return int(value) or None


def _prices() -> tuple[float | None, float | None]:
    value = os.environ.get("WAYFINDER_LLM_USD_PER_MILLION")
    if not value:
        return None, None
    try:
        price_in, price_out = (float(part) for part in value.split(","))
    except ValueError:
        price_in = price_out = -1.0
    if min(price_in, price_out) < 0:
        raise QueryError(
            f"WAYFINDER_LLM_USD_PER_MILLION is {value!r}: give two prices, in and out, such as 0.15,0.60."
        )
    return price_in, price_out


def _day_usd(price: float | None) -> float | None:
    value = os.environ.get("WAYFINDER_LLM_DAY_USD")
    if not value:
        return None
    if price is None:
        raise QueryError(
            "WAYFINDER_LLM_DAY_USD needs WAYFINDER_LLM_USD_PER_MILLION, such as 0.15,0.60."
        )
    try:
        usd = float(value)
    except ValueError:
        usd = 0.0
    if usd <= 0:
        raise QueryError(f"WAYFINDER_LLM_DAY_USD is {value!r}: give dollars above 0.")
    return usd


def _whole(name: str) -> int | None:
    """A whole number above 0, or None where the variable is not set."""
    value = os.environ.get(name)
    if not value:
        return None
    if not value.isdecimal() or int(value) < 1:
        raise QueryError(f"{name} is {value!r}: give a whole number above 0.")
    return int(value)


def embedding_server() -> tuple[str | None, Secret]:
    """Base URL (None: OpenAI's own) and key for `--encoder openai:MODEL`."""
    url = os.environ.get("WAYFINDER_EMBEDDING_BASE_URL") or None
    return url, Secret(
        os.environ.get("WAYFINDER_LLM_API_KEY") or os.environ.get("OPENAI_API_KEY") or ""
    )


def ads_url() -> str | None:
    """The search address of ADS; None for its own."""
    return _address("WAYFINDER_ADS_URL")


def arxiv_url() -> str:
    """The address of arXiv's OAI-PMH."""
    return _address("WAYFINDER_ARXIV_URL") or DEFAULT_ARXIV_URL


def max_wait_seconds() -> float:
    """The longest time that a harvest waits for its quota to be reset.

    Raises:
        QueryError: WAYFINDER_MAX_WAIT_SECONDS is not a positive number.
    """
    return _seconds("WAYFINDER_MAX_WAIT_SECONDS", DEFAULT_MAX_WAIT_SECONDS)


def kept_snapshots() -> int:
    """How many earlier snapshots of an index are kept.

    Raises:
        QueryError: WAYFINDER_KEEP_SNAPSHOTS is not a whole number from 0 to 100.
    """
    value = os.environ.get("WAYFINDER_KEEP_SNAPSHOTS") or str(DEFAULT_KEPT_SNAPSHOTS)
    if not value.isdigit() or int(value) > 100:
        raise QueryError(f"WAYFINDER_KEEP_SNAPSHOTS is {value!r}: give a whole number, 0 to 100.")
    return int(value)


def ads_token() -> Secret:
    """The ADS token, from ADS_API_TOKEN, ADS_DEV_KEY or ~/.ads/dev_key; empty when there is none."""
    for name in ("ADS_API_TOKEN", "ADS_DEV_KEY"):
        if value := os.environ.get(name):
            return _token(name, value)
    path = Path.home() / ".ads" / "dev_key"
    return _token(str(path), path.read_text(encoding="utf-8") if path.is_file() else "")


def _token(where: str, value: str) -> Secret:
    token = value.strip()
    if not token.isascii() or not (token.isprintable() or not token):
        raise QueryError(f"{where} holds characters that no token has: copy it anew.")
    return Secret(token)


def _address(name: str) -> str | None:
    value = os.environ.get(name) or None
    if value and not re.fullmatch(r"https?://[^\s/]+\S*", value):
        raise QueryError(f"{name} is no address: write it with http:// or https://.")
    return value


def _seconds(name: str, default: float) -> float:
    value = os.environ.get(name) or str(default)
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86_400:
        raise QueryError(f"{name} is {value!r}: give seconds above 0, such as {default:g}.")
    return seconds


@dataclass(frozen=True)
class SlackConfig:
    """How the Slack bot speaks with Slack, and its limits; a secret that is not set is empty."""

    bot_token: Secret
    app_token: Secret  # of Socket Mode
    signing_secret: Secret  # of HTTP
    url: str
    state: Path
    keep_days: int
    user_per_minute: int
    channel_per_minute: int


def slack_config() -> SlackConfig:
    """The Slack bot that the environment asks for.

    Raises:
        QueryError: a token or a number cannot be one.
    """
    if os.environ.get("SLACK_CLIENT_ID") and os.environ.get("SLACK_CLIENT_SECRET"):
        raise QueryError(
            "SLACK_CLIENT_ID and SLACK_CLIENT_SECRET are set, which Slack's library takes for an app of many workspaces: "
            "unset them, the bot serves the one workspace of its token."
        )
    state = os.environ.get("WAYFINDER_SLACK_STATE")
    url = _address("WAYFINDER_SLACK_URL") or DEFAULT_SLACK_URL
    return SlackConfig(
        bot_token=_slack_secret("WAYFINDER_SLACK_BOT_TOKEN", "xoxb-"),
        app_token=_slack_secret("WAYFINDER_SLACK_APP_TOKEN", "xapp-"),
        signing_secret=_slack_secret("WAYFINDER_SLACK_SIGNING_SECRET", ""),
        url=url if url.endswith("/") else url + "/",
        state=Path(state) if state else cache_dir() / "slack" / "state.sqlite",
        keep_days=_whole("WAYFINDER_SLACK_KEEP_DAYS") or DEFAULT_SLACK_KEEP_DAYS,
        user_per_minute=_whole("WAYFINDER_SLACK_USER_PER_MINUTE") or DEFAULT_SLACK_USER_PER_MINUTE,
        channel_per_minute=_whole("WAYFINDER_SLACK_CHANNEL_PER_MINUTE")
        or DEFAULT_SLACK_CHANNEL_PER_MINUTE,
    )


def _slack_secret(name: str, prefix: str) -> Secret:
    """A secret by Wayfinder's name for it, else by Slack's own."""
    for known in (name, name.removeprefix("WAYFINDER_")):
        if value := os.environ.get(known):
            secret = _token(known, value)
            if not secret.startswith(prefix):
                raise QueryError(
                    f"{known} does not begin with {prefix}: copy that token of the app."
                )
            return secret
    return Secret("")
