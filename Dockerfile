# One image for the web app, the Slack bot and the HTTP API: the command chooses, the web app is the default.
#
#   docker build -t wayfinder .                                        on the starter corpus, without GPU
#   docker build -t wayfinder --build-arg INDEX=papers.jsonl .         an index built in: a source, or a folder made by `wayfinder index build`
#   docker build -t wayfinder --build-arg REQUIREMENTS=requirements-gpu.txt .
#   docker run --rm -p 8501:8501 --read-only --tmpfs /tmp wayfinder
#   docker run --rm -p 8501:8501 --read-only --tmpfs /tmp -v /srv/indexes/my-index:/index/current:ro wayfinder
#   docker run --rm -p 8600:8600 --read-only --tmpfs /tmp wayfinder api --host 0.0.0.0
#
# .ci/image builds it without a Docker engine and asks it a question.
ARG BASE=docker.io/library/python:3.11-slim-bookworm

FROM ${BASE} AS build
ARG REQUIREMENTS=requirements.txt
ARG INDEX=starter
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 WAYFINDER_CACHE=/var/cache/wayfinder PATH=/opt/venv/bin:$PATH
RUN python3 -m venv /opt/venv
WORKDIR /opt/wayfinder
COPY requirements*.txt ./
# On a GPU the encoder runs in torch.
RUN if [ "$REQUIREMENTS" = requirements-gpu.txt ]; then pip install -r $REQUIREMENTS -r requirements-models.txt; else pip install -r $REQUIREMENTS; fi
COPY pyproject.toml README.md ./
COPY .streamlit .streamlit
COPY .ci/healthcheck.py ./
COPY models models
COPY data data
COPY eval eval
COPY training training
COPY indexer indexer
COPY retrieval retrieval
COPY app app
RUN pip install --no-deps --editable . && pip uninstall --yes --quiet pip
# The index, and with it all that a first start would make, so that nothing has to be written later.
# Vectors that were computed on the way are in the index.
RUN --mount=type=bind,source=.,target=/context \
    cd /context && if [ -f "$INDEX/manifest.json" ]; then mkdir /index && cp -rL "$INDEX" /index/current; else wayfinder index build --from "$INDEX" --out /index/current --map; fi \
    && wayfinder ask --quiet --offline --index /index/current "How do stars form?" > /dev/null \
    && rm -rf /var/cache/wayfinder/vectors

FROM ${BASE}
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PATH=/opt/venv/bin:$PATH HOME=/tmp \
    WAYFINDER_INDEX=/index/current WAYFINDER_CACHE=/var/cache/wayfinder
RUN useradd --uid 10001 --home-dir /tmp --shell /usr/sbin/nologin wayfinder
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/wayfinder /opt/wayfinder
COPY --from=build --chown=wayfinder /var/cache/wayfinder /var/cache/wayfinder
COPY --from=build --chown=wayfinder /index /index
WORKDIR /opt/wayfinder
USER wayfinder
EXPOSE 8501 8600 3000
# The door that is open says whether it is well; a bot in Socket Mode has none: switch its check off (compose.yaml).
HEALTHCHECK --interval=30s --timeout=15s --start-period=120s CMD ["python3", "/opt/wayfinder/healthcheck.py"]
CMD ["wayfinder", "serve", "--host", "0.0.0.0"]
