# vonage-sidecar in an image without a shell: the binary, the C library, CA certificates, a user that is not root.
#
#   docker build -t vonage-sidecar .
#   docker run --rm -it vonage-sidecar demo
#
# Its listeners are bound to loopback: share the network of the app (a pod, or network_mode: "service:app").

# Both stages are Debian 12, so that the binary meets the C library that it was linked with.
FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY src src
# Packed relocations are half a megabyte less in memory; the C library of Debian 12 is the first one that reads them.
RUN cargo rustc --profile dist --locked --bin vonage-sidecar -- -C link-arg=-Wl,-z,pack-relative-relocs

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/target/dist/vonage-sidecar /vonage-sidecar
# The number and not the name, so that Kubernetes can see that it is not root.
USER 65532:65532
# sidecar.toml and credentials.toml are looked for here: mount a directory, never a single file.
WORKDIR /etc/vonage-sidecar
# Docker kills ten seconds after it has asked to end; timeouts.drain is eight.
STOPSIGNAL SIGTERM
# For Docker and Compose. Kubernetes does not look at it and has probes instead.
HEALTHCHECK --interval=5s --timeout=6s --start-period=10s --retries=3 CMD ["/vonage-sidecar", "health"]
ENTRYPOINT ["/vonage-sidecar"]
CMD ["run"]
