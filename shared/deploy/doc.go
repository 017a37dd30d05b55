// Package deploy is what operators run leadgate with: a Helm chart, systemd units, proxies, rules for Prometheus and a
// dashboard for Grafana. Its tests hold them against the programs, with the tools that are installed.
package deploy
