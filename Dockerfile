# The image is released on a base that is named by its digest: .github/workflows/image.yml looks it up and sets this.
ARG PYTHON=python:3.13-slim

# Stage 1: the dependencies, exactly those in requirements.txt, checked by their hashes, no compiler needed.
FROM ${PYTHON} AS dependencies
COPY requirements.txt /tmp/requirements.txt
RUN python -m venv --without-pip /opt/myna \
    && python -m pip --python /opt/myna/bin/python install --no-cache-dir --disable-pip-version-check \
        --require-hashes --only-binary :all: -r /tmp/requirements.txt \
    && /opt/myna/bin/python -m compileall -q -j 0 /opt/myna/lib

# Stage 2: what runs. Not root, no pip of its own, nothing to write but /data and /tmp.
FROM ${PYTHON}
RUN python -m pip uninstall --yes --quiet --disable-pip-version-check --root-user-action ignore pip \
    && useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin myna \
    && install --directory --owner 10001 --group 10001 --mode 0700 /data
COPY --from=dependencies /opt/myna /opt/myna
WORKDIR /app
COPY bot bot
COPY cogs cogs
COPY untrusted untrusted
COPY tts_gateway tts_gateway
COPY rehearsal rehearsal
ENV PATH=/opt/myna/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DATA_DIR=/data
USER 10001:10001
VOLUME /data
STOPSIGNAL SIGTERM
# The running bot touches a file while it is connected to Discord; no port is opened for this.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-m", "bot", "healthy"]
ENTRYPOINT ["python", "-m", "bot"]
