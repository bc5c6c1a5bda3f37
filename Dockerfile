# The images of this repository: `provisioner` (the last stage, the default) and `emulators`, which docker-compose.yml uses.
# Each base is pinned by tag, for people, and by the digest of its index of platforms. Every step works offline of this
# repository but for the package indexes of cargo and pip. scripts/image-by-hand does the same steps without an engine.

FROM rust:1.95.0-slim-bookworm@sha256:d7482085ff5b415f84dba5647ae71606650bdef00db7aeb69f4b3d170c3e4082 AS build
WORKDIR /src
# Without rust-toolchain.toml: the image is that toolchain, and has no need of clippy and rustfmt. A test holds the versions together.
COPY Cargo.toml Cargo.lock ./
COPY regions regions
COPY providers providers
COPY migrations migrations
COPY provisioner provisioner
# The workspace has it as a member; it is not built.
COPY tests/Cargo.toml tests/Cargo.toml
COPY tests/src tests/src
# What was compiled stays in a cache of the builder's: a change of ours compiles our crates, and no dependency.
RUN --mount=type=cache,id=provisioner-registry,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=provisioner-target,target=/src/target,sharing=locked \
    cargo build --release --locked --package provisioner --bin provisioner \
    && install -D --mode=0755 target/release/provisioner /out/provisioner

FROM python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d AS emulators
LABEL org.opencontainers.image.title="provisioner-emulators" \
      org.opencontainers.image.description="Endpoints of EC2, KMS, Compute Engine and Cloud KMS for trying provisioner out: nothing real is behind them" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
COPY tests/clouds/requirements.txt /emulators/requirements.txt
RUN --mount=type=cache,id=provisioner-pip,target=/root/.cache/pip,sharing=locked \
    pip install --disable-pip-version-check --root-user-action=ignore --requirement /emulators/requirements.txt
COPY tests/clouds/loopback /emulators/loopback
COPY tests/clouds/aws/run.py /emulators/aws/run.py
COPY tests/clouds/aws/emulator /emulators/aws/emulator
COPY tests/clouds/gcp/run.py /emulators/gcp/run.py
COPY tests/clouds/gcp/emulator /emulators/gcp/emulator
USER 65532:65532
WORKDIR /emulators
ENTRYPOINT ["python"]

FROM debian:bookworm-20260824-slim@sha256:88200866dfff7ea7f5cbcb6ec7c8a701889efe6fe859fe64d6990e4b07ea4171 AS provisioner
LABEL org.opencontainers.image.title="provisioner" \
      org.opencontainers.image.description="Encrypted cache volumes and builder machines for remote builds, in the region where they belong" \
      org.opencontainers.image.licenses="Apache-2.0"
# Whom the clouds' certificates are signed by.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/provisioner /usr/local/bin/provisioner
# The one place where it may write, and only if something is mounted there: the root is meant to be read-only.
RUN install --directory --owner=65532 --group=65532 --mode=0700 /var/lib/provisioner
USER 65532:65532
WORKDIR /var/lib/provisioner
EXPOSE 8443
STOPSIGNAL SIGTERM
# For `serve`, where the configuration in /etc/provisioner/config.toml has it listen; whoever runs another command turns it off.
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["provisioner", "healthcheck"]
ENTRYPOINT ["provisioner"]
CMD ["--help"]
