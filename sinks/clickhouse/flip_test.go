package clickhouse_test

import (
	"fmt"
	"testing"
	"time"

	"aftershock/schema"
	"aftershock/sinks"
)

// Whoever looks while promotions flip the views, while rows are stored again and merged, sees
// each crash once: days that lie in one range of the activation, and days that do not.
func TestEachCrashIsSeenOnceWhileTheViewsFlip(t *testing.T) {
	db, conn := open(t)
	const crashes, days = 400, 4
	var rows []sinks.Row
	for n := range crashes {
		at := noon.AddDate(0, 0, n%days).Add(time.Duration(n%24-12) * time.Hour)
		for version := int32(1); version <= 2; version++ {
			rows = append(rows, row(id(n, at.Format("060102")), version, 0, int64(n), at, fmt.Sprint("signature of ", version)))
		}
	}
	middle := noon.AddDate(0, 0, 1)
	part := func(from, to time.Time, version int32) schema.ActiveRange {
		return schema.ActiveRange{From: from, To: to, SignatureVersion: version}
	}
	states := [][]schema.ActiveRange{
		{all(1)},
		{all(2)},
		{part(schema.TimeBegin, middle, 1), part(middle, schema.TimeEnd, 2)},
		{part(schema.TimeBegin, middle.AddDate(0, 0, 1), 2), part(middle.AddDate(0, 0, 1), schema.TimeEnd, 1)},
		{part(schema.TimeBegin, noon, 1), part(noon, middle, 2), part(middle, schema.TimeEnd, 1)},
	}
	if err := db.Write(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	if err := db.Activate(t.Context(), activation(1, states[0]...)); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		for epoch := range int64(30) {
			err := db.Activate(t.Context(), activation(epoch+2, states[int(epoch)%len(states)]...))
			if err == nil {
				err = db.Write(t.Context(), rows[int(epoch)*10:int(epoch)*10+50])
			}
			if err == nil && epoch%10 == 7 {
				err = conn.Exec(t.Context(), "OPTIMIZE TABLE aftershock.crash_rows FINAL")
			}
			if err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for looks := 0; ; looks++ {
		for _, view := range []string{"aftershock.crashes", "aftershock_protected.crashes", "aftershock.crash_by_id", "aftershock_protected.crash_by_id"} {
			if got := ask(t, conn, "SELECT concat(toString(count()), ' ', toString(uniqExact(crash_id))) FROM "+view); got[0] != fmt.Sprint(crashes, " ", crashes) {
				t.Fatalf("look %d, %s: %s crashes", looks, view, got[0])
			}
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			if looks < 20 {
				t.Errorf("only %d looks", looks)
			}
			return
		default:
		}
	}
}
