package main

import (
	"context"

	"aftershock/symbolcache"
)

// healVerb makes crashes again whose symbols have come.
type healVerb struct {
	kafkaFlags
	instanceFlag
	metricsFlag
	ClickhouseURL string `help:"ClickHouse's HTTP interface, http://[user:password@]host:port." required:"" name:"clickhouse-url"`
	healFlags
	symbolFlags
}

// Run heals until SIGTERM.
func (v *healVerb) Run(r *run) error {
	kafka, err := v.kafka(r.log)
	if err != nil {
		return err
	}
	url, err := r.withPassword(v.ClickhouseURL)
	if err != nil {
		return err
	}
	db, err := openClickHouse(url)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing is left in it
	return runRole(r, kafka, v.instance(), v.metricsFlag, healUses, func(ctx context.Context, roles *roles) error {
		symbols, err := v.cache(r.log, symbolcache.NewMetrics(roles.metrics), nil, 0)
		if err != nil {
			return err
		}
		defer symbols.Close() //nolint:errcheck // what it keeps is on disk already
		roles.heal(ctx, v.healFlags, db, symbols)
		return nil
	})
}
