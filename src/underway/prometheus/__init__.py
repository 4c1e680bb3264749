"""Pure: what was measured and promised becomes what Prometheus and Grafana read."""
