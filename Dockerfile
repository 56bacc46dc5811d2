# Wayfinder's web app on the starter corpus, CPU only:
#   docker build -t wayfinder . && docker run --rm -p 8501:8501 wayfinder
# On an index of your own: docker run --rm -p 8501:8501 -v /path/to/index:/index:ro -e WAYFINDER_INDEX=/index wayfinder
FROM python:3.11-slim-bookworm

ENV PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1 WAYFINDER_CACHE=/var/cache/wayfinder
RUN useradd --create-home wayfinder && install -d -o wayfinder /var/cache/wayfinder
WORKDIR /opt/wayfinder

COPY requirements.txt pyproject.toml README.md ./
# PyTorch's CPU build: the registry's default brings gigabytes of CUDA libraries.
RUN pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu && pip install -r requirements.txt

COPY app app
COPY indexer indexer
COPY retrieval retrieval
COPY eval eval
COPY data data
COPY .streamlit .streamlit
RUN pip install --no-deps --editable .

USER wayfinder
# The model is exported and the starter corpus indexed at build time, so that the container starts at once.
RUN wayfinder search --quiet "warm up" >/dev/null
EXPOSE 8501
HEALTHCHECK CMD python -c "import urllib.request; urllib.request.urlopen('http://localhost:8501/_stcore/health', timeout=5)"
CMD ["wayfinder", "serve", "--host", "0.0.0.0"]
