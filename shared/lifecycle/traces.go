package lifecycle

import (
	"context"
	"log/slog"

	"leadgate/shared/telemetry"
	"leadgate/shared/trace"
)

// Traces returns what exports spans to c until g stops; nil where c is nowhere. A process that cannot export its spans
// works all the same.
func Traces(g *Group, log *slog.Logger, c telemetry.Collector, service string) *trace.Tracer {
	tracer, stop, err := telemetry.Tracer(context.Background(), log, c, service)
	if err != nil {
		log.Error("traces not exported", "error", err.Error())
		return nil
	}
	if tracer != nil {
		g.OnStop("traces", stop)
	}
	return tracer
}
