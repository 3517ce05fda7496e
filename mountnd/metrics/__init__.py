"""What a mount counts, for Prometheus and what else reads OpenMetrics (`--metrics`).

names      the metrics by their stable names, and the counters of `stats.py` under theirs
measures   what is told of a mount at one moment: values
exporter   the HTTP server, which `serve` opens before there is a mount
collector  measures as metrics of prometheus-client

Inside: exporter > collector > names | measures. Only this room knows prometheus-client, which a mount without metrics
neither needs nor imports. `mountnd/measuring.py` takes the measures of a mount.
"""
