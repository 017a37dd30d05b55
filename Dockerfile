# Two static binaries in one small image; compose.yaml says which runs.
# docker build --build-arg VERSION=$(git describe --tags --always --dirty) . makes them say which sources they are of.
FROM golang:1.26-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w -X leadgate/shared/version.linked=$VERSION" -o /out/ ./gateway ./worker

FROM alpine:3.22
RUN adduser -D -H -u 10001 leadgate
COPY --from=build /out/gateway /out/worker /usr/local/bin/
USER 10001
ENV LEADGATE_LISTEN=:8080 LEADGATE_ADMIN_LISTEN=:8081 LEADGATE_WORKER_LISTEN=:8082
EXPOSE 8080 8081 8082
STOPSIGNAL SIGTERM
ARG VERSION=
LABEL org.opencontainers.image.version=$VERSION
CMD ["gateway"]
