package main

import "context"

// sinkVerbs are the sinks.
type sinkVerbs struct {
	Clickhouse sinkClickHouseVerb `cmd:"" help:"Processed crashes to ClickHouse tables."`
	Telemetry  sinkTelemetryVerb  `cmd:"" help:"The public view of processed crashes to the public topic."`
}

type sinkClickHouseVerb struct {
	kafkaFlags
	deadLetterFlags
	instanceFlag
	metricsFlag
	ClickhouseURL string `help:"ClickHouse's HTTP interface, http://[user:password@]host:port." required:"" name:"clickhouse-url"`
	keepFlag
}

// Run stores rows until SIGTERM.
func (v *sinkClickHouseVerb) Run(r *run) error {
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
	return runRole(r, kafka, v.instance(), v.metricsFlag, clickHouseUses, func(ctx context.Context, roles *roles) error {
		migrated := roles.health.part("migrations")
		if err := v.migrate(ctx, db, url, r.log); err != nil {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // the end was asked for meanwhile
			}
			return err
		}
		migrated(nil)
		roles.sinkClickHouse(ctx, v.deadLetterFlags, db)
		return nil
	})
}

type sinkTelemetryVerb struct {
	kafkaFlags
	deadLetterFlags
	instanceFlag
	metricsFlag
}

// Run publishes until SIGTERM.
func (v *sinkTelemetryVerb) Run(r *run) error {
	kafka, err := v.kafka(r.log)
	if err != nil {
		return err
	}
	return runRole(r, kafka, v.instance(), v.metricsFlag, telemetryUses, func(ctx context.Context, roles *roles) error {
		roles.sinkTelemetry(ctx, v.deadLetterFlags)
		return nil
	})
}
