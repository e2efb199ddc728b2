package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"aftershock/collector/throttle"
)

// rulesLook is between looks at whether the file of rules has changed.
const rulesLook = 2 * time.Second

// followRules reads the door's rules, and again when their file changes or on SIGHUP. Rules
// that do not compile change nothing: the door goes on with those before, and /readyz, a
// metric and the log say so.
func (r *roles) followRules(ctx context.Context, g *errgroup.Group, path string) (func() *throttle.Rules, error) {
	file, err := throttle.Open(path)
	if err != nil {
		return nil, err
	}
	old := newRulesOutdated(r.metrics)
	const part = "collector.throttle"
	r.health.set(part, partReady)
	r.log.Info().Str("rules", file.Rules().Hash()[:12]).Int("number", len(file.Rules().Names())).Msg("throttle")
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	g.Go(func() error {
		defer signal.Stop(hangup)
		file.Watch(ctx, rulesLook, hangup, func(err error) {
			if err != nil {
				old.Set(1)
				r.health.set(part, partOldRules)
				r.log.Error().Err(err).Str("rules", file.Rules().Hash()[:12]).Msg("throttle: the rules before stay")
				return
			}
			old.Set(0)
			r.health.set(part, partReady)
			r.log.Info().Str("rules", file.Rules().Hash()[:12]).Int("number", len(file.Rules().Names())).Msg("throttle: new rules")
		})
		return nil
	})
	return file.Rules, nil
}

func newRulesOutdated(r prometheus.Registerer) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "aftershock_collector_rules_outdated", Help: "1 while the door goes by older rules because those in the file do not compile.",
	})
	r.MustRegister(g)
	return g
}
