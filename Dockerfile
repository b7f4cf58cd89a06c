# Airflow with this project in it, for docker-compose.yaml: one image, every process of it.
# Everything is installed while it is built; nothing is fetched when it starts.

FROM python:3.11-slim-bookworm AS build
WORKDIR /src
ENV UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1 UV_LINK_MODE=copy PIP_DISABLE_PIP_VERSION_CHECK=1

# uv in the version, and with the hashes, that the lock names.
COPY requirements.lock ./
RUN sed -n '/^uv==/,/^    # via/p' requirements.lock > uv.txt \
    && pip install --no-cache-dir --root-user-action=ignore --no-deps --only-binary :all: \
        --require-hashes --requirement uv.txt

# The lock also holds what tests and developers need. Here it is a constraint, not the list: pyproject.toml says
# what production needs, the lock says which version of it and with which hashes, and --require-hashes refuses
# whatever the lock does not hold. So one lock serves both, and pytest and the like stay out of the image.
ARG EXTRAS="celery s3"
COPY pyproject.toml ./
RUN --mount=type=cache,target=/root/.cache/uv \
    python -m venv --without-pip /opt/venv \
    && uv pip install --python /opt/venv/bin/python --require-hashes --no-build --compile-bytecode \
        $(printf -- '--extra %s ' $EXTRAS) --constraints requirements.lock --requirements pyproject.toml

# The builder of the wheel, in an environment that is left behind.
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --system --require-hashes --no-build --constraints requirements.lock --group build

# Last, because it changes most often: our own packages.
COPY README.md LICENSE ./
COPY plugins plugins
COPY include include
RUN python -m hatchling build --target wheel --directory dist \
    && uv pip install --python /opt/venv/bin/python --no-deps --compile-bytecode dist/*.whl


FROM python:3.11-slim-bookworm
ENV AIRFLOW_HOME=/opt/airflow \
    PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TRYON_SETTINGS=/opt/airflow/include/tryon.toml

# The folders that docker-compose.yaml mounts volumes on: a new volume takes over their owner.
RUN groupadd --gid 50000 airflow \
    && useradd --uid 50000 --gid airflow --home-dir /opt/airflow --no-create-home --shell /usr/sbin/nologin airflow \
    && install --directory --owner airflow --group airflow --mode 0750 \
        /opt/airflow /opt/airflow/logs /opt/airflow/archive /opt/airflow/auth /opt/airflow/exports \
        /opt/airflow/reports /opt/airflow/sandbox

COPY --from=build /opt/venv /opt/venv
COPY include/tryon.toml /opt/airflow/include/tryon.toml
COPY dags /opt/airflow/dags

WORKDIR /opt/airflow
USER 50000:50000

# API server and UI; the scheduler's health; the sandbox, the sample's pictures.
EXPOSE 8080 8974 8123 8000

CMD ["airflow", "version"]
