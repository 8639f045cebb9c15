package telemetry

import (
	"context"
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
)

func (t *Telemetry) buildMetrics(ctx context.Context, p plan, c config, about *resource.Resource) error {
	t.text = append(t.text, p.metrics.String())
	if p.metrics.off {
		t.scrape = nothingToScrape("OTEL_METRICS_EXPORTER=none")
		return nil
	}
	registry := prometheus.NewRegistry()
	scraped, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo())
	if err != nil {
		return fmt.Errorf("metrics for Prometheus: %w", err)
	}
	t.gather = registry.Gather
	t.scrape = promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
	options := []sdkmetric.Option{sdkmetric.WithResource(about), sdkmetric.WithReader(scraped)}
	report := &reporter{life: t.sending, signal: p.metrics, logger: c.logger}
	if p.metrics.sent {
		exporter, err := newMetricExporter(ctx, p.metrics)
		if err != nil {
			return fmt.Errorf("sending metrics to %s: %w", p.metrics.shown, err)
		}
		options = append(options, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(&metricExporter{exporter, report})))
	}
	sdk := sdkmetric.NewMeterProvider(options...)
	if err := measureProcess(sdk); err != nil {
		return err
	}
	t.meters = sdk
	t.pipelines = append(t.pipelines, pipeline{"metrics", report.stop(sdk.Shutdown)})
	return nil
}

func newMetricExporter(ctx context.Context, s signal) (sdkmetric.Exporter, error) {
	if s.protocol == protocolGRPC {
		return otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithEndpointURL(s.endpoint))
	}
	return otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(s.endpoint))
}

// metricExporter reports failures and successes of sending.
type metricExporter struct {
	sdkmetric.Exporter
	report *reporter
}

func (e *metricExporter) Export(ctx context.Context, metrics *metricdata.ResourceMetrics) error {
	return e.report.send(ctx, func(ctx context.Context) error { return e.Exporter.Export(ctx, metrics) })
}

// nothingToScrape returns the handler that answers while metrics are off.
func nothingToScrape(because string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "metrics are off: "+because, http.StatusNotFound)
	})
}
